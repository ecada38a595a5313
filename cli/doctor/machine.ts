import { statSync } from 'node:fs';
import { networkInterfaces, userInfo } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { ControlError, createClient } from '../../daemon/client/client.ts';
import { readConfigFile, rootOf } from '../../daemon/client/config.ts';
import { sourcesTell } from '../../daemon/client/name-sources.ts';
import type { World } from '../lib/environment.ts';
import { controlSocket } from '../lib/socket.ts';
import { pamFiles } from '../pam/files.ts';
import { currentTrial } from '../pam/record.ts';
import { trialView } from '../pam/trial.ts';
import type { Answer, Machine } from './contract.ts';
import { connectTo, realFiles, runProgram } from './files.ts';

/** Milliseconds for one program, and for one connection. */
const programLimit = 8_000;
const connectLimit = 3_000;

/** The machine that this process runs on. */
export function thisMachine(world: World, configFile: string): Machine {
  const daemon = createClient({ socket: socketOf(configFile), timeout: programLimit });
  return {
    now: world.now,
    uid: process.geteuid?.() ?? -1,
    user: userInfo().username,
    configFile,
    rooted: rootOf(configFile) !== undefined,
    version: world.version,
    built: async () => statSync(world.daemonMain, { throwIfNoEntry: false })?.mtimeMs,
    files: realFiles,
    run: (argv) => runProgram(argv, programLimit),
    sourcesTell,
    addresses: () =>
      Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address)),
    config: once(() => readConfigFile(configFile)),
    status: once(() => answered(() => daemon.status())),
    daemon,
    connects: (path) => connectTo(path, connectLimit),
    pam: pamFiles(),
    trial: () => {
      const trial = currentTrial();
      return trial === undefined ? undefined : trialView(trial);
    },
    wait: async (milliseconds) => void (await sleep(milliseconds)),
  };
}

/** Another check reports an unreadable file; the default socket is used then. */
function socketOf(configFile: string): string {
  try {
    return controlSocket(configFile);
  } catch {
    const root = rootOf(configFile);
    return root === undefined ? '/run/sallyport/control.sock' : `${root}/run/control.sock`;
  }
}

async function answered<T>(ask: () => Promise<T>): Promise<Answer<T>> {
  try {
    return { ok: true, value: await ask() };
  } catch (error) {
    if (error instanceof ControlError) return { ok: false, code: error.code, message: error.message };
    throw error;
  }
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
