const firstDescriptor = 3;

/**
 * The listening socket that a service manager passed on: sd_listen_fds(3).
 * @param environment changed: LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES are removed
 * @returns undefined without activation
 * @throws Error: there are several
 */
export function takeActivatedSocket(environment: NodeJS.ProcessEnv, pid: number): number | undefined {
  const { LISTEN_PID: forPid, LISTEN_FDS: count } = environment;
  delete environment.LISTEN_PID;
  delete environment.LISTEN_FDS;
  delete environment.LISTEN_FDNAMES;
  if (forPid !== String(pid) || count === undefined || !/^[1-9][0-9]?$/.test(count)) return undefined;
  if (count !== '1')
    throw new Error(
      `the socket unit passes ${count} sockets, and the portal takes one; ` +
        'a single ListenStream=443 listens for IPv4 and IPv6',
    );
  return firstDescriptor;
}
