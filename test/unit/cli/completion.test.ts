import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { cliMain, runCli } from '../../support/cli-child.ts';
import { type ControlRig, startControl } from '../../support/control-rig.ts';
import { Terminal } from '../../support/rig/terminal.ts';
import { fob, paper, phone } from '../control/records.ts';

/** Completion: requested from the command itself, and by real shells. */

let rig: ControlRig;
let directory: string;

before(async () => {
  rig = await startControl();
  await rig.store.put('alice', { factors: [{ ...phone, name: 'my phone: new' }, fob, paper] });
  await rig.store.put('bob', {});
  directory = mkdtempSync(join(tmpdir(), 'sallyport-completion-'));
  mkdirSync(join(directory, 'zsh'));
  mkdirSync(join(directory, 'paths'));
  writeFileSync(join(directory, 'paths', 'realms.toml'), '');
  const program = `#!/bin/sh\nexec '${process.execPath}' '${cliMain}' --config '${rig.configFile}' "$@"\n`;
  writeFileSync(join(directory, 'sallyport'), program, { mode: 0o755 });
  for (const [shell, file] of [
    ['bash', 'bash'],
    ['zsh', 'zsh/_sallyport'],
    ['fish', 'fish'],
  ] as const)
    writeFileSync(join(directory, file), (await runCli(['completion', shell])).out);
});
after(async () => {
  rmSync(directory, { recursive: true });
  await rig.close();
});

const words = async (typed: readonly string[], current = '', options: readonly string[] = []) => {
  const { status, out, err } = await runCli([
    '--config',
    rig.configFile,
    ...options,
    'complete',
    `--current=${current}`,
    '--',
    ...typed,
  ]);
  assert.deepEqual([status, err], [0, '']);
  return out
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split('\t')[0]);
};

describe('what is possible at the cursor', () => {
  test('commands, and their subcommands', async () => {
    const all = await words([]);
    for (const command of ['init', 'status', 'factor', 'completion'])
      assert.ok(all.includes(command), command);
    for (const hidden of ['complete', 'help']) assert.ok(!all.includes(hidden), hidden);
    assert.deepEqual(await words(['factor'], 're'), ['rename', 'remove']);
    assert.deepEqual(await words(['--config', 'status', 'factor'], 'ena'), ['enable']);
    assert.deepEqual(await words(['no-such-command'], ''), []);
  });

  test('options not yet used, and their values', async () => {
    const options = await words(['factor', 'add', 'totp', '--digits', '8'], '--');
    assert.ok(options.includes('--secret') && options.includes('--config'));
    assert.ok(!options.includes('--digits'));
    assert.deepEqual(await words(['factor', 'add', 'totp', '--algorithm'], 'sha2'), ['sha256']);
    assert.deepEqual(await words(['factor', 'add', 'totp', '--name'], ''), []);
    assert.deepEqual(await words(['--config'], ''), [':paths']);
    assert.deepEqual(await words(['realm', 'check'], 'x'), [':paths']);
  });

  test('accounts, their factors, realms', async () => {
    assert.deepEqual(await words(['user', 'show']), ['alice', 'bob']);
    assert.deepEqual(await words(['user', 'show'], 'b'), ['bob']);
    assert.deepEqual(await words(['factor', 'rename', 'alice'], 'my'), ['my phone: new']);
    assert.deepEqual(await words(['factor', 'rename', 'alice', 'paper']), []);
    assert.deepEqual(await words(['realm', 'show'], 'st'), ['staff']);
  });

  test('without a daemon it completes what it can, and prints nothing', async () => {
    const nobody = join(directory, 'nobody.toml');
    writeFileSync(nobody, '[paths]\ncontrol_socket = "/nonexistent/control.sock"\n');
    assert.deepEqual(await words(['realm', 'show'], '', ['--config', nobody]), []);
    assert.deepEqual(await words(['factor'], 'en', ['--config', nobody]), ['enable']);
  });
});

interface Key {
  readonly typed: string;
  readonly shown: RegExp;
}

/** Types, presses Tab until the completion appears, and clears the line. */
async function press(terminal: Terminal, { typed, shown }: Key): Promise<void> {
  terminal.send(`${typed}\t\t`);
  await terminal.expect(shown);
  terminal.send('\x15');
}

const presses: readonly Key[] = [
  { typed: 'sallyport comp', shown: /sallyport.*completion/s },
  { typed: 'sallyport factor rem', shown: /remove/ },
  { typed: 'sallyport factor add totp --alg', shown: /--algorithm/ },
  { typed: 'sallyport user show ali', shown: /alice/ },
  { typed: 'sallyport factor disable alice my', shown: /my\\? phone/ },
];

describe('in shells', () => {
  const environment = () => ({
    TERM: 'xterm',
    PS1: 'ready> ',
    PATH: `${directory}:${process.env.PATH}`,
    HOME: directory,
  });

  test('bash', async () => {
    const terminal = new Terminal(['bash', '--norc', '--noprofile', '-i'], environment());
    await terminal.answer(/ready> /, `source ${directory}/bash; cd ${directory}/paths`);
    for (const key of presses) await press(terminal, key);
    await press(terminal, { typed: 'sallyport realm check rea', shown: /realms\.toml/ });
    terminal.send('exit\r');
    await terminal.ended();
  });

  test('zsh', async () => {
    const terminal = new Terminal(['zsh', '-f', '-i'], environment());
    const setUp = `fpath=(${directory}/zsh $fpath); autoload -Uz compinit; compinit -u -D; cd ${directory}/paths; PS1=set'> '`;
    await terminal.answer(/ready> /, setUp);
    await terminal.expect(/set> /);
    for (const key of presses) await press(terminal, key);
    await press(terminal, { typed: 'sallyport realm check rea', shown: /realms\.toml/ });
    terminal.send('exit\r');
    await terminal.ended();
  });

  test('fish', async () => {
    const terminal = new Terminal(['fish', '--no-config', '-i'], environment());
    await terminal.answer(/[>#] /, `source ${directory}/fish; cd ${directory}/paths; echo se''t`);
    await terminal.expect(/set\r\n/);
    for (const key of presses) await press(terminal, key);
    await press(terminal, { typed: 'sallyport realm check rea', shown: /realms\.toml/ });
    terminal.send('exit\r');
    await terminal.ended();
  });
});
