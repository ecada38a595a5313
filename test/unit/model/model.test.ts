import { describe, it } from 'node:test';
import { runModel, runSequence } from '../../support/model/run.ts';
import { faults } from '../../support/model/sequences.ts';

describe('a small reference model and the daemon agree on which logins are allowed', () => {
  it('over random sequences, with a store in memory', () =>
    runModel({ onDisk: false, runs: 40, commands: 60 }));

  it('over random sequences, with a store on disk, backups and restores', () =>
    runModel({ onDisk: true, runs: 6, commands: 60 }));

  for (const { what, commands, onDisk } of faults)
    it(`in a sequence where once ${what}`, () => runSequence(commands, onDisk));
});
