import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Command } from 'commander';
import { addMasterKey } from '../../../cli/commands/master-key.ts';
import type { Context } from '../../../cli/lib/context.ts';
import { keyFileText, newMasterKey } from '../../../daemon/sealing/keyring.ts';

/** A master key is removed from its file only together with the daemon. */
const directory = mkdtempSync(join(tmpdir(), 'sallyport-key-'));
after(() => rmSync(directory, { recursive: true }));

for (const [what, adopts] of [
  ['one that is in use again by then is put back', false],
  ['one that nothing needs is gone', true],
] as const)
  test(`master-key remove: ${what}`, async () => {
    const file = join(directory, 'master.key');
    const [present, older] = [newMasterKey(), newMasterKey()];
    const both = keyFileText([present, older]);
    writeFileSync(file, both, { mode: 0o600 });
    const keys = { file, credential: false, current: present.id, ids: [present.id, older.id] };
    const context = {
      output: { note: () => undefined },
      prompt: { confirm: async () => undefined },
      client: () => ({
        status: async () => ({ keys: { ...keys, rotation: { kind: 'done' } } }),
        adoptKeys: async () => {
          assert.equal(readFileSync(file, 'utf8'), keyFileText([present]));
          if (!adopts) throw new Error('records use it');
        },
      }),
    } as unknown as Context;
    const program = new Command().exitOverride();
    addMasterKey(program, context);
    const run = program.parseAsync(['master-key', 'remove', older.id, '--yes'], { from: 'user' });
    if (adopts) await run;
    else await assert.rejects(run, /records use it/);
    assert.equal(readFileSync(file, 'utf8'), adopts ? keyFileText([present]) : both);
  });
