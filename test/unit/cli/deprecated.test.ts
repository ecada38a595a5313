import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { runInProcess } from '../../support/cli-in-process.ts';
import { type ControlRig, startControl } from '../../support/control-rig.ts';

/** Former names of commands and options work for one release, and are shown nowhere. */

let rig: ControlRig;
before(async () => {
  rig = await startControl();
  await rig.store.put('alice', {});
});
after(() => rig.close());

const run = (...words: readonly string[]) => runInProcess(['--config', rig.configFile, ...words]);

const options = [
  { command: ['user', 'exempt', 'alice'], former: ['--end'], current: ['--clear'] },
  { command: ['store', 'repair'], former: ['--give-up', 'alice'], current: ['--reset-account', 'alice'] },
  { command: ['restore', '/nonexistent'], former: ['--new-key'], current: ['--generate-key'] },
  { command: ['restore', '/nonexistent'], former: ['--old-key', 'x'], current: ['--master-key', 'x'] },
] as const;

describe('options', () => {
  for (const { command, former, current } of options)
    describe(`${command[0]} ${former[0]}`, () => {
      test('does what its current name does, and warns once', async () => {
        const [before, now] = [await run(...command, ...former), await run(...command, ...current)];
        const [warning, ...rest] = before.err.split('\n');
        assert.match(
          warning ?? '',
          new RegExp(`^sallyport: warning: ${former[0]} is deprecated.*; use: ${current[0]}$`),
        );
        assert.deepEqual([before.status, before.out, rest.join('\n')], [now.status, now.out, now.err]);
      });

      test('is refused beside its current name', async () => {
        const { status, err } = await run(...command, ...former, ...current);
        assert.equal(status, 2);
        assert.match(err, new RegExp(`${former[0]} is the former name of ${current[0]}`));
      });

      test('is in no help and in no completion', async () => {
        const help = await run(...command, '--help');
        const offered = await run('complete', '--current=--', '--', ...command);
        for (const { out } of [help, offered]) {
          assert.match(out, new RegExp(`${current[0]}\\b`));
          assert.doesNotMatch(out, new RegExp(`${former[0]}\\b`));
        }
      });
    });

  test('values reach the command', async () => {
    const { err } = await run('user', 'exempt', 'alice', '--for', '1h', '--end');
    assert.match(err, /give one of/);
  });
});

describe('sallyport key', () => {
  for (const [former, current] of [
    [['list'], ['list']],
    [
      ['rotate', '--key-file', '/nonexistent'],
      ['rotate', '--key-file', '/nonexistent'],
    ],
    [
      ['forget', 'x'],
      ['remove', 'x'],
    ],
  ] as const)
    test(`${former[0]} is master-key ${current[0]}, and warns once`, async () => {
      const [before, now] = [await run('key', ...former), await run('master-key', ...current)];
      const [warning, ...rest] = before.err.split('\n');
      assert.match(
        warning ?? '',
        new RegExp(
          `^sallyport: warning: "sallyport key ${former[0]}" is deprecated.*; use: sallyport master-key ${current[0]}$`,
        ),
      );
      assert.deepEqual([before.status, before.out, rest.join('\n')], [now.status, now.out, now.err]);
      assert.doesNotMatch(now.err, /no such command|unknown/);
    });

  test('is in no help and in no completion', async () => {
    assert.doesNotMatch((await run('--help')).out, /^ {2}key\b/m);
    assert.doesNotMatch((await run('complete', '--current=', '--')).out, /^key\b/m);
    assert.match((await run('--help')).out, /^ {2}master-key\b/m);
  });
});
