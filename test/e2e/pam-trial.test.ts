import assert from 'node:assert/strict';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run, until } from '../support/rig/commands.ts';
import { repository } from '../support/rig/layout.ts';
import { inNamespace } from '../support/rig/namespace.ts';
import { PamCommand, records, said, typed } from '../support/rig/pam-command.ts';
import { append } from '../support/rig/pam-machine.ts';
import { password } from '../support/rig/people.ts';
import { Terminal } from '../support/rig/terminal.ts';

/** sallyport pam enable --try: what rolls a change back, and what keeps it. */
const sudoFile = '/etc/pam.d/sudo';

await inNamespace(import.meta.filename, async () => {
  const pam = await PamCommand.prepare();
  const { product, before } = pam;
  await pam.add('alice');
  const confirm = [process.execPath, ...product.command(['pam', 'confirm'])];
  const onSshd = ['enable', 'sshd', '--with', 'key', '--try', '1h', '--yes', '--reload'] as const;

  pam.change('sshd is rolled back after the time, even if the shell has ended', async () => {
    const shell = new Terminal([
      'bash',
      '-c',
      '"$@"; echo done; sleep 600',
      'bash',
      ...pam.command('alice', ...onSshd),
    ]);
    await shell.expect(/done/);
    await shell.hangUp();
    await until('sshd asks for the code', async () => !(await pam.opensWithoutCode('alice')));
    for (const command of [['pam', 'show'], ['status']])
      assert.match(
        (await product.cli(command)).stderr,
        /trial of sshd: rolled back in (?:1 h|59 min)/,
        command.join(' '),
      );
    writeFileSync(`${records}/try/deadline`, '0\n');
    await pam.isBack();
    assert.deepEqual(pam.files(), before);
    await until('sshd has read it again', () => pam.opensWithoutCode('alice'));
  });

  pam.change('a login from after the change confirms it, and one from before does not', async () => {
    const shell = ['exec', 'bash', '--norc'];
    const inside = `sudo -k ${confirm.join(' ')}; echo "status-$?"`;
    const asked = async (terminal: Terminal, answer: RegExp, status: number) => {
      terminal.send(`${inside}\r`);
      await typed(terminal, /password for alice: /, password);
      await terminal.expect(answer);
      await terminal.expect(new RegExp(`status-${status}`));
    };
    const old = pam.keyLogin('alice', shell, ['RequestTTY=force']);
    await old.expect(/\$ /);
    await pam.must('alice', ...onSshd);
    await until('sshd asks for the code', async () => !(await pam.opensWithoutCode('alice')));
    // No login yet; then one follows, which does not make the old session newer.
    await asked(old, /older than the change/, 1);
    const fresh = pam.keyLogin('alice', shell, ['RequestTTY=force']);
    await fresh.answer(/code: /, pam.code('alice'));
    await fresh.expect(/\$ /);
    await asked(old, /older than the change/, 1);
    await asked(fresh, /confirmed/, 0);
    assert.equal(existsSync(`${records}/try`), false);
    await until('nobody waits to put it back', () => pam.watchers().length === 0);
    assert.equal(await pam.opensWithoutCode('alice'), false);
  });

  pam.change('at the console, the program that waited for the name is older than the login', async () => {
    // As getty: it exists before the change, and becomes login(1) once a user types.
    const getty = new Terminal(['bash', '-c', 'read -r name; exec login "$name"']);
    await pam.must('alice', 'enable', 'login', '--try', '1h', '--yes');
    getty.send('alice\r');
    await getty.answer(/Password: /, password);
    await getty.answer(/code: /, pam.code('alice'));
    await getty.expect(/\$ /);
    getty.send(`sudo -k ${confirm.join(' ')}\r`);
    await typed(getty, /password for alice: /, password);
    await getty.expect(/login: confirmed/);
  });

  pam.change('a new session confirms nothing without a login through the service', async () => {
    await pam.must('alice', 'enable', 'sudo', '--try', '10m', '--yes');
    // A sudo by root, which needs no code.
    const asRoot = await run('sudo', confirm);
    assert.equal(asRoot.status, 1, said(asRoot));
    assert.match(asRoot.stderr, /no login of /);
    const plain = await product.cli(['pam', 'confirm']);
    assert.match(plain.stderr, /older than the change/, said(plain));
    const terminal = await pam.sudo('alice', ...confirm);
    await terminal.expect(/confirmed/);
    assert.equal(await terminal.ended(), 0);
  });

  pam.change('a trial ends by itself, and a late confirmation is refused', async () => {
    await pam.must('alice', 'enable', 'sudo', '--try', '5s', '--yes');
    await pam.isBack();
    assert.deepEqual(pam.files(), before);
    const late = await product.cli(['pam', 'confirm']);
    assert.equal(late.status, 1);
    assert.match(late.stderr, /there is no trial change/);
  });

  pam.change('only one trial at a time, and disabling rolls it back', async () => {
    await pam.must('alice', 'enable', 'sudo', '--try', '1h', '--yes');
    const second = await pam.run('alice', 'enable', 'su', '--yes');
    assert.equal(second.status, 1);
    assert.match(second.stderr, /has an open trial, and only one is allowed/);
    const off = await pam.must('alice', 'disable', 'sudo', '--yes');
    assert.match(off.stderr, /trial of sudo, sudo-i: rolled back in/);
    assert.deepEqual(pam.files(), before);
  });

  pam.change('an edit made meanwhile is kept, and our line is removed', async () => {
    await pam.must('alice', 'enable', 'sudo', '--try', '1h', '--yes');
    append(sudoFile, '# mine\n');
    const back = await pam.must('alice', 'revert');
    assert.match(back.stdout, /edited since: only our line was removed/);
    assert.equal(readFileSync(sudoFile, 'latin1'), `${before[sudoFile]}# mine\n`);
    writeFileSync(sudoFile, before[sudoFile] ?? '', 'latin1');
  });

  pam.change('a drop-in edited meanwhile is removed anyway, and kept in the record', async () => {
    await pam.must('alice', ...onSshd);
    append('/etc/ssh/sshd_config.d/00-sallyport-key-code.conf', 'LogLevel DEBUG\n');
    const back = await pam.must('alice', 'revert');
    assert.match(back.stdout, /edited since: removed, and kept in the record/);
    assert.deepEqual(pam.files(), before);
  });

  pam.change('a restart of the machine rolls back an unconfirmed change', async () => {
    await pam.must('alice', 'enable', 'sudo', '--try', '1h', '--yes');
    assert.ok(pam.watchers().length > 0);
    const unit = readFileSync(join(repository, 'pam-config/systemd/sallyport-pam-revert.service'), 'utf8');
    const [program = '', ...argv] = /^ExecStart=(.*)$/m.exec(unit)?.[1]?.split(' ') ?? [];
    await run(program, argv);
    assert.ok(existsSync(`${records}/try`), 'the unit leaves a trial of this start of the machine alone');
    // No process survives a restart, and the machine has another boot id afterwards.
    for (const pid of pam.watchers()) process.kill(pid, 'SIGKILL');
    writeFileSync(`${records}/try/boot`, '00000000-0000-0000-0000-000000000000\n');
    const started = await run(program, argv);
    assert.equal(started.status, 0, said(started));
    assert.deepEqual(pam.files(), before);
  });

  pam.change('an interrupted rollback is started again', async () => {
    await pam.must('alice', 'enable', 'sudo', '--try', '1h', '--yes');
    for (const pid of pam.watchers()) process.kill(pid, 'SIGKILL');
    // One of two files was restored at the power failure.
    renameSync(`${records}/try`, `${records}/reverting`);
    writeFileSync(sudoFile, before[sudoFile] ?? '', 'latin1');
    assert.match((await product.cli(['pam', 'show'])).stderr, /is being rolled back/);
    await pam.must('alice', 'revert');
    assert.equal(existsSync(`${records}/reverting`), false);
    assert.deepEqual(pam.files(), before);
  });

  pam.change('a crash between any two files leaves all of them old, or all of them new', async () => {
    await pam.must('alice', 'enable', 'sudo', '--yes');
    const complete = pam.files();
    await pam.must('alice', 'disable', 'sudo', '--yes');
    const ends = new Set<string>();
    let isOver = false;
    // At each of its renames, until no further one happens.
    for (let step = 1; !isOver; step += 1) {
      assert.ok(step < 12, 'it is never killed');
      const killed = [
        '-f',
        '-qq',
        '-o',
        '/dev/null',
        '-e',
        'trace=rename',
        '-e',
        `inject=rename:signal=KILL:when=${step}`,
      ];
      const made = pam.command('alice', 'enable', 'sudo', '--yes');
      const { status } = await run('strace', [...killed, ...made], { timeout: 90_000 });
      isOver = status === 0;
      await pam.isBack();
      const now = JSON.stringify(pam.files());
      const end =
        now === JSON.stringify(before) ? 'old' : now === JSON.stringify(complete) ? 'new' : `step ${step}`;
      ends.add(end);
      await pam.run('root', 'disable', 'sudo', '--yes');
    }
    assert.deepEqual([...ends].sort(), ['new', 'old']);
  });
});
