import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Carrier } from '../../daemon/client/client.ts';
import { disableIoUring, type World } from './environment.ts';
import { CliError } from './errors.ts';

/** A sallyportd that serves only this command, with exclusive access to the store. */
export interface OfflineDaemon {
  readonly carrier: Carrier;
  /** Resolves once it has closed the store. */
  close(): Promise<void>;
}

/** Starts sallyportd; the first request reports why it cannot work. */
export function startOffline(world: World, configFile: string): OfflineDaemon {
  const words = [world.daemonMain, '--offline', '--config', configFile];
  const child = spawn(process.execPath, words, { stdio: ['pipe', 'pipe', 'inherit'], env: disableIoUring() });
  const ended = new Promise<void>((resolve) => {
    child.once('error', () => resolve());
    child.once('close', () => resolve());
  });
  child.stdin.on('error', () => undefined);
  const lines = createInterface({ input: child.stdout, terminal: false })[Symbol.asyncIterator]();

  const next = async (): Promise<object> => {
    const { value, done } = await lines.next();
    if (done === true) throw new CliError('refused', 'sallyportd exited without a response');
    return JSON.parse(value) as object;
  };
  const ready = next().then((said) => {
    if ('error' in said) throw new CliError('refused', (said.error as { message: string }).message);
  });
  // The first request reports this error.
  ready.catch(() => undefined);

  return {
    async carrier(request) {
      await ready;
      child.stdin.write(`${JSON.stringify(request)}\n`);
      return (await next()) as Awaited<ReturnType<Carrier>>;
    },
    async close() {
      child.stdin.end();
      await ended;
    },
  };
}
