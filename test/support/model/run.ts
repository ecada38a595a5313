import type { AsyncCommand } from 'fast-check';
import { fc } from '../property.ts';
import { uidOf } from './commands.ts';
import { configText, type Realm } from './reference.ts';
import { beginning, commandsFor, realms } from './sequences.ts';
import { System } from './system.ts';
import type { Model } from './world.ts';

/** Noon of a day in 2026. */
const noon = Date.UTC(2026, 5, 15, 12);

export interface RunOptions {
  readonly onDisk: boolean;
  readonly runs: number;
  readonly commands: number;
  /** Left out: that of every run. */
  readonly seed?: number;
}

/**
 * Random sequences of what can happen to a daemon, against the reference.
 * @throws Error with the seed and the shortest sequence in which they differ
 */
export async function runModel({ onDisk, runs, commands, seed }: RunOptions): Promise<void> {
  await fc.assert(
    fc.asyncProperty(
      realms,
      fc.commands(commandsFor(onDisk), { maxCommands: commands, size: 'max' }),
      (begin, sequence) => oneRun(begin, sequence, onDisk),
    ),
    { numRuns: runs, ...(seed === undefined ? {} : { seed }), includeErrorInReport: true },
  );
}

/** One sequence from a realm that requires a second factor of all. */
export function runSequence(sequence: Iterable<AsyncCommand<Model, System>>, onDisk = false): Promise<void> {
  const all: Realm = { name: 'all', require: 'any', enrol: 'refuse', observe: false, rules: [] };
  return oneRun([all], sequence, onDisk);
}

async function oneRun(
  begin: readonly Realm[],
  sequence: Iterable<AsyncCommand<Model, System>>,
  onDisk: boolean,
): Promise<void> {
  const system = await System.start(configText(begin), noon, onDisk);
  for (const [user, uid] of Object.entries(uidOf)) system.accounts.add(user, uid);
  try {
    const model: Model = {
      realms: begin,
      now: noon,
      directory: new Map(Object.entries(uidOf)),
      directoryAnswers: true,
      accounts: new Map(),
      newcomers: new Map(),
      lastAccepted: new Map(),
      accepted: new Set(),
      known: new Map(),
      backedUp: new Map(),
      seeds: 0,
    };
    for (const one of beginning) await one.run(model, system);
    await fc.asyncModelRun(() => ({ model, real: system }), sequence);
    if ((await system.faultsOfTrail()) > 0) throw new Error('the trail does not verify');
  } finally {
    await system.close();
  }
}
