import { type ChildProcess, spawn } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { messageOf } from '../lib/errors.ts';

/** Where a helper is: as installed behind a socket that starts one for each connection, else a program. */
export type HelperEndpoint =
  | { readonly program: string; readonly args?: readonly string[] }
  | {
      readonly socket: string;
      /** Throws if the listener must not receive anything. */
      readonly approve?: (connection: Socket) => void;
    };

/** One process of a helper, `sallyport-fido` or `sallyport-password`. */
export interface HelperProcess {
  /** @param sent called once, when the bytes are gone or never will be */
  write(bytes: Buffer, sent?: () => void): void;
  /** Nothing more is written: to sallyport-fido that means cancel. */
  end(): void;
  /** Ends the process at once, or as far as a socket can. */
  kill(): void;
}

export interface HelperEvents {
  heard(chunk: Buffer): void;
  /** Once: it is gone. `why` is for the log. */
  closed(why: string): void;
}

/** @param environment of the program; empty unless a test says otherwise */
export function openHelper(
  place: HelperEndpoint,
  environment: Readonly<Record<string, string>>,
  ear: HelperEvents,
): HelperProcess {
  return 'program' in place
    ? startProgram(place.program, place.args ?? [], environment, ear)
    : connectTo(place.socket, place.approve, ear);
}

/** Tells of the end once, whatever comes first. */
function once(ear: HelperEvents): (why: string) => void {
  let isReported = false;
  return (why) => {
    if (isReported) return;
    isReported = true;
    ear.closed(why);
  };
}

function howItEnded(child: ChildProcess): string {
  return child.signalCode === null
    ? `it ended with ${child.exitCode}`
    : `it was ended by ${child.signalCode}`;
}

function startProgram(
  program: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  ear: HelperEvents,
): HelperProcess {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'], env: environment });
  const closed = once(ear);
  child.on('error', (error) => closed(error.message));
  // 'close' and not 'exit': what it said last is read first.
  child.on('close', () => closed(howItEnded(child)));
  child.stdout.on('data', (chunk: Buffer) => ear.heard(chunk));
  // Errors of the pipes come with the end of the process, which is reported above.
  child.stdout.on('error', () => undefined);
  child.stdin.on('error', () => undefined);
  return {
    write: (bytes, sent) => void child.stdin.write(bytes, () => sent?.()),
    end: () => void child.stdin.end(),
    kill: () => void child.kill('SIGKILL'),
  };
}

function connectTo(
  path: string,
  approve: ((connection: Socket) => void) | undefined,
  ear: HelperEvents,
): HelperProcess {
  const socket = connect({ path, allowHalfOpen: true });
  const closed = once(ear);
  // Before anything can be written: what is to be sent waits for the same event, behind this.
  socket.once('connect', () => {
    try {
      approve?.(socket);
    } catch (error) {
      closed(messageOf(error));
      socket.destroy();
    }
  });
  socket.on('error', (error) => closed(error.message));
  socket.on('close', () => closed('it closed the connection'));
  // The other end is the process: once it says nothing more it is gone.
  socket.on('end', () => void socket.destroy());
  socket.on('data', (chunk: Buffer) => ear.heard(chunk));
  return {
    write: (bytes, sent) => void socket.write(bytes, () => sent?.()),
    end: () => void socket.end(),
    kill: () => void socket.destroy(),
  };
}
