/** The listening sockets that a service manager passed on: sd_listen_fds_with_names(3). */
export type ActivatedSockets = ReadonlyMap<string, number>;

const firstDescriptor = 3;

/**
 * Takes what is ours out of the environment, so that no child takes it for its own.
 * @param environment changed: LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES are removed
 * @returns descriptors by name (FileDescriptorName= of the socket unit); empty without activation
 */
export function takeActivatedSockets(environment: NodeJS.ProcessEnv, pid: number): ActivatedSockets {
  const { LISTEN_PID: forPid, LISTEN_FDS: count, LISTEN_FDNAMES: names } = environment;
  delete environment.LISTEN_PID;
  delete environment.LISTEN_FDS;
  delete environment.LISTEN_FDNAMES;
  if (forPid !== String(pid) || count === undefined || !/^[1-9][0-9]?$/.test(count)) return new Map();
  const named = (names ?? '').split(':');
  return new Map(
    Array.from(
      { length: Number(count) },
      (_, index) => [named[index] ?? '', firstDescriptor + index] as const,
    ),
  );
}
