import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { build } from 'esbuild';
import { type KindName, kinds } from '../../../daemon/factors/kinds.ts';
import { projectRoot } from '../../support/project.ts';

interface Kind {
  readonly label: string;
  readonly satisfies?: string;
  readonly isSubstitute?: true;
  readonly locksWithCodes?: true;
}

/** The table as the browser gets it. */
async function pageKinds(): Promise<Readonly<Record<string, Kind>>> {
  const { outputFiles } = await build({
    entryPoints: [join(projectRoot, 'portal/pages/factors/kinds.ts')],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    logLevel: 'silent',
  });
  const code = Buffer.from(outputFiles[0]?.contents ?? []).toString('base64');
  return ((await import(`data:text/javascript;base64,${code}`)) as { kinds: Record<string, Kind> }).kinds;
}

describe('the table of kinds of the pages', () => {
  let table: Awaited<ReturnType<typeof pageKinds>>;
  const names = Object.keys(kinds) as KindName[];
  before(async () => {
    table = await pageKinds();
  });

  it('has the kinds of the daemon, each with its own label', () => {
    assert.deepEqual(Object.keys(table).sort(), names.sort());
    assert.equal(new Set(names.map((name) => table[name]?.label)).size, names.length);
  });

  it('agrees with the daemon on which kinds run out', () => {
    for (const name of names)
      assert.equal(table[name]?.isSubstitute === true, kinds[name].traits.runsOut, name);
  });

  it('agrees with the daemon on the requirement that a kind satisfies at every login', () => {
    for (const name of names) {
      const { satisfies, traits } = kinds[name];
      const isAlways = !traits.runsOut && !('sshKey' in kinds[name]);
      assert.equal(table[name]?.satisfies, isAlways ? satisfies : undefined, name);
    }
  });

  it('agrees with the daemon on which device codes are locked together', () => {
    for (const name of names) {
      const { countsAsCode, runsOut } = kinds[name].traits;
      assert.equal(table[name]?.locksWithCodes === true, countsAsCode && !runsOut, name);
    }
  });
});
