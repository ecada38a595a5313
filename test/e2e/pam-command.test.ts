import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hotp } from '../support/codes.ts';
import { type Finished, run, until } from '../support/rig/commands.ts';
import { append, prepareInstalled, snapshot } from '../support/rig/installed.ts';
import { repository } from '../support/rig/layout.ts';
import { inNamespace } from '../support/rig/namespace.ts';
import { addPerson, allowSudo, as, type Person, password, setUpRoot } from '../support/rig/people.ts';
import { scenario } from '../support/rig/scenario.ts';
import { authorizeKey, makeSshKeys, ssh, startDistributedSshd } from '../support/rig/ssh.ts';
import { sudoFlush, Terminal } from '../support/rig/terminal.ts';

/** `sallyport pam` where Sallyport is installed: the files of the distribution, real sudo, su and sshd. */
const realms = `
[[realm]]
name = "staff"
members = { uids = ["3000-3999"] }
require = "any"

[[realm]]
name = "rest"
require = "none"
`;
const port = 2240;
const records = '/var/backups/sallyport';
const sudoFile = '/etc/pam.d/sudo';
const said = ({ stdout, stderr, status }: Finished): string => `status ${status}\n${stdout}${stderr}`;

await inNamespace(import.meta.filename, async () => {
  const product = await prepareInstalled(realms);
  setUpRoot();
  allowSudo();
  makeSshKeys();
  await startDistributedSshd(port);
  const files = () => snapshot('/etc/pam.d', '/etc/ssh/sshd_config.d');
  const before = files();
  const owner = (name: string) => ({ SUDO_UID: String(name === 'root' ? 0 : people.get(name)?.uid) });
  const people = new Map<string, Person>();
  const tokens = new Map<string, Buffer>();
  const counters = new Map<string, number>();

  /** Somebody with a key for ssh and a token. */
  async function person(name: string): Promise<Person> {
    const made = addPerson(name);
    authorizeKey(made);
    people.set(name, made);
    tokens.set(name, await product.addHotp(name));
    return made;
  }
  function code(name: string): string {
    const counter = counters.get(name) ?? 0;
    counters.set(name, counter + 1);
    return hotp(tokens.get(name) ?? Buffer.alloc(0), counter);
  }
  /** The command as root, on behalf of somebody. */
  const pam = (who: string, ...argv: readonly string[]): Promise<Finished> =>
    run('env', [`SUDO_UID=${owner(who).SUDO_UID}`, process.execPath, ...product.command(['pam', ...argv])]);
  async function pamDone(who: string, ...argv: readonly string[]): Promise<Finished> {
    const done = await pam(who, ...argv);
    assert.equal(done.status, 0, said(done));
    return done;
  }
  const isBack = () =>
    until(
      'everything is put back',
      () => !existsSync(`${records}/try`) && !existsSync(`${records}/reverting`),
    );
  const inSudo = (name: string, ...command: readonly string[]) =>
    new Terminal([...as(people.get(name) as Person), 'sudo', '-k', ...command]);
  async function typed(terminal: Terminal, prompt: RegExp, text: string): Promise<void> {
    await terminal.expect(prompt);
    await new Promise((resolve) => setTimeout(resolve, sudoFlush));
    terminal.send(`${text}\r`);
  }
  async function sudo(name: string, ...command: readonly string[]): Promise<Terminal> {
    const terminal = inSudo(name, ...command);
    await typed(terminal, new RegExp(`password for ${name}: `), password);
    await typed(terminal, /code: /, code(name));
    return terminal;
  }
  const confirm = [process.execPath, ...product.command(['pam', 'confirm'])];
  /** Those who put a change back, in this namespace of processes. */
  const watchers = () =>
    readdirSync('/proc').filter((pid) => {
      try {
        return /^\/bin\/sh\0\/var\/backups\/sallyport\/revert\0wait\0/.test(
          readFileSync(`/proc/${pid}/cmdline`, 'latin1'),
        );
      } catch {
        return false;
      }
    });
  /** A test leaves the machine as it was. */
  const change = (name: string, body: () => Promise<void>) =>
    scenario(product, name, async () => {
      try {
        await body();
      } finally {
        await pam('root', 'revert');
        await pam('root', 'disable', '--all', '--yes', '--reload');
      }
      assert.deepEqual(files(), before);
    });

  await person('alice');

  change('sudo asks for the code, and is as before once it is disabled', async () => {
    const done = await pamDone('alice', 'enable', 'sudo', '--yes');
    assert.match(done.stdout, /^-@include common-auth\n\+@include sallyport-sudo$/m);
    const terminal = await sudo('alice', 'id', '-un');
    await terminal.expect(/root/);
    const { services } = (await product.json(['pam', 'show'])) as {
      services: { service: string; guarded: boolean; module?: string }[];
    };
    assert.deepEqual(
      services.filter(({ guarded }) => guarded).map(({ service, module }) => [service, module]),
      [['sudo', '/etc/pam.d/sallyport-sudo:19']],
    );
    assert.match((await pamDone('alice', 'enable', 'sudo', '--yes')).stdout, /guarded already/);
  });

  change('su reaches su-l, which is said and done', async () => {
    const done = await pamDone('alice', 'enable', 'su', '--yes');
    assert.match(done.stderr, /includes it: su-l/);
    await person('bob');
    for (const options of [[], ['-']]) {
      const terminal = new Terminal([
        ...as(people.get('alice') as Person),
        'su',
        ...options,
        'bob',
        '-c',
        'echo "in-$(id -un)"',
      ]);
      await terminal.answer(/Password: /, password);
      await terminal.answer(/code: /, code('bob'));
      await terminal.expect(/in-bob/);
    }
    const refused = await pam('alice', 'enable', 'su-l', '--yes');
    assert.match(refused.stdout, /guarded already/, said(refused));
  });

  change('an edit of somebody else stays when it is disabled', async () => {
    await pamDone('alice', 'enable', 'sudo', '--yes');
    append(sudoFile, '# mine\n');
    await pamDone('alice', 'disable', 'sudo', '--yes');
    assert.equal(readFileSync(sudoFile, 'latin1'), `${before[sudoFile]}# mine\n`);
    writeFileSync(sudoFile, before[sudoFile] ?? '', 'latin1');
  });

  change('nothing is changed where somebody would be locked out', async () => {
    const carol = addPerson('carol');
    people.set('carol', carol);
    const cases: readonly (readonly [string, RegExp, () => Promise<Finished>])[] = [
      [
        'no factor',
        /carol could not log in.*first: sallyport factor add totp carol/s,
        () => pam('carol', 'enable', 'sudo', '--yes'),
      ],
      ['nobody asked', /needs a yes/, () => pam('alice', 'enable', 'sudo')],
      [
        'no choice of what comes first',
        /--with key, or --with password/,
        () => pam('alice', 'enable', 'sshd', '--yes'),
      ],
      [
        'a shared file',
        /a change there reaches .*sshd.*pam-auth-update/s,
        () => pam('alice', 'enable', 'common-auth', '--stack', 'sudo', '--yes'),
      ],
      ['a twin', /takes its stack from su/, () => pam('alice', 'enable', 'su-l', '--yes')],
      ['no service', /there is no \/etc\/pam\.d\/remote/, () => pam('alice', 'enable', 'remote', '--yes')],
      ['no stack for it', /--stack one-prompt/, () => pam('alice', 'enable', 'chsh', '--yes')],
      ['no name', /no name of a service/, () => pam('alice', 'enable', '../shadow', '--yes')],
    ];
    for (const [name, message, action] of cases) {
      const refused = await action();
      assert.notEqual(refused.status, 0, name);
      assert.match(refused.stderr, message, `${name}: ${said(refused)}`);
      assert.deepEqual(files(), before, name);
    }
    const others = await pam('alice', 'enable', 'sudo', '--dry-run');
    assert.match(others.stderr, /could not log in through sudo any more: carol/);
    assert.equal(others.status, 0);
    await product.stop();
    const away = await pam('alice', 'enable', 'sudo', '--yes');
    assert.equal(away.status, 1);
    assert.match(away.stderr, /sallyportd does not answer/);
    await product.start();
    await product.addHotp('carol');
  });

  change('without a way for root there is no change, but for a trial', async () => {
    const shadow = readFileSync('/etc/shadow', 'latin1');
    writeFileSync('/etc/shadow', shadow.replace(/^root:/m, 'root:!'), 'latin1');
    const refused = await pam('alice', 'enable', 'sshd', '--with', 'key', '--yes');
    assert.match(refused.stderr, /root has no password for the console/, said(refused));
    const tried = await pam('alice', 'enable', 'sshd', '--with', 'key', '--yes', '--try', '1h');
    assert.equal(tried.status, 0, said(tried));
    writeFileSync('/etc/shadow', shadow, 'latin1');
  });

  change('others than root are told to use sudo', async () => {
    const asked = await run('setpriv', [
      '--reuid=3000',
      '--regid=3000',
      '--clear-groups',
      process.execPath,
      ...product.commandForPeople(['pam', 'show']),
    ]);
    assert.equal(asked.status, 77, said(asked));
    assert.match(asked.stderr, /by root alone/);
  });

  const keyLogin = (name: string, command: readonly string[], options: readonly string[] = []) =>
    new Terminal(ssh(name, { port, key: true, options }, command));
  const opensWithoutCode = async (name: string): Promise<boolean> =>
    (
      await run('timeout', [
        '20',
        ...ssh(name, { port, key: true, options: ['BatchMode=yes'] }, ['echo', 'in']),
      ])
    ).stdout === 'in\n';

  change('sshd on trial is put back once the time is over, though the shell is gone', async () => {
    const shell = new Terminal([
      'bash',
      '-c',
      `SUDO_UID=${owner('alice').SUDO_UID} "$@"; echo done; sleep 600`,
      'bash',
      process.execPath,
      ...product.command(['pam', 'enable', 'sshd', '--with', 'key', '--try', '15', '--yes', '--reload']),
    ]);
    await shell.expect(/done/);
    await shell.hangUp();
    assert.ok(existsSync(`${records}/try`));
    await until('sshd asks for the code', async () => !(await opensWithoutCode('alice')));
    assert.match((await pamDone('alice', 'show')).stderr, /on trial: put back in \d+ s/);
    await until(
      'it is put back',
      () => !existsSync(`${records}/try`) && !existsSync(`${records}/reverting`),
      60_000,
    );
    assert.deepEqual(files(), before);
    await until('sshd has read it again', () => opensWithoutCode('alice'));
  });

  change('a login from after the change confirms it, and one from before does not', async () => {
    const old = keyLogin('alice', ['echo', 'up;', 'exec', 'bash', '--norc'], ['RequestTTY=force']);
    await old.expect(/up/);
    await pamDone('alice', 'enable', 'sshd', '--with', 'key', '--try', '10m', '--yes', '--reload');
    await until('sshd asks for the code', async () => !(await opensWithoutCode('alice')));
    const enter = async (terminal: Terminal, name: string) => {
      await typed(terminal, new RegExp(`password for ${name}: `), password);
      return terminal;
    };
    const inside = ['sudo', '-k', ...confirm].join(' ');
    // Nobody has logged in yet.
    old.send(`${inside}; echo "status-$?"\r`);
    await enter(old, 'alice');
    await old.expect(/older than the change/);
    await old.expect(/status-1/);
    // Somebody else has: the old session is no less old.
    const fresh = keyLogin('alice', ['exec', 'bash', '--norc'], ['RequestTTY=force']);
    await fresh.answer(/code: /, code('alice'));
    fresh.send('echo "in-$((1+1))"\r');
    await fresh.expect(/in-2/);
    old.send(`${inside}; echo "status-$?"\r`);
    await enter(old, 'alice');
    await old.expect(/older than the change/);
    await old.expect(/status-1/);
    fresh.send(`${inside}; echo "status-$?"\r`);
    await enter(fresh, 'alice');
    await fresh.expect(/confirmed, and stays/);
    await fresh.expect(/status-0/);
    assert.equal(existsSync(`${records}/try`), false);
    await until('nobody waits to put it back', () => watchers().length === 0);
    assert.equal(await opensWithoutCode('alice'), false);
  });

  change('a session that is new confirms nothing without a login through the service', async () => {
    await pamDone('alice', 'enable', 'sudo', '--try', '10m', '--yes');
    // A sudo of root's, which is asked for nothing.
    const asRoot = await run('sudo', confirm);
    assert.equal(asRoot.status, 1, said(asRoot));
    assert.match(asRoot.stderr, /knows of no login/);
    const plain = await product.cli(['pam', 'confirm']);
    assert.match(plain.stderr, /older than the change/, said(plain));
    const terminal = await sudo('alice', ...confirm);
    await terminal.expect(/confirmed, and stays/);
    assert.equal(await terminal.ended(), 0);
  });

  change('one change at a time is on trial', async () => {
    await pamDone('alice', 'enable', 'sudo', '--try', '1h', '--yes');
    const second = await pam('alice', 'enable', 'su', '--yes');
    assert.equal(second.status, 1);
    assert.match(second.stderr, /on trial, and there is one at a time/);
    const off = await pamDone('alice', 'disable', 'sudo', '--yes');
    assert.match(off.stderr, /on trial/);
    assert.deepEqual(files(), before);
  });

  change('an edit made during the trial stays, and our line goes', async () => {
    await pamDone('alice', 'enable', 'sudo', '--try', '1h', '--yes');
    append(sudoFile, '# mine\n');
    const back = await pamDone('alice', 'revert');
    assert.match(back.stdout, /edited meanwhile: our line alone/);
    assert.equal(readFileSync(sudoFile, 'latin1'), `${before[sudoFile]}# mine\n`);
    writeFileSync(sudoFile, before[sudoFile] ?? '', 'latin1');
  });

  change('a restart of the machine puts back what nobody has confirmed', async () => {
    await pamDone('alice', 'enable', 'sudo', '--try', '1h', '--yes');
    assert.ok(watchers().length > 0);
    // Nothing of what ran survives a restart, and the machine has another name for this start.
    for (const pid of watchers()) process.kill(Number(pid), 'SIGKILL');
    const unit = readFileSync(join(repository, 'pam-config/systemd/sallyport-pam-revert.service'), 'utf8');
    const [program = '', ...argv] = /^ExecStart=(.*)$/m.exec(unit)?.[1]?.split(' ') ?? [];
    await run(program, argv);
    assert.ok(existsSync(`${records}/try`), 'started by hand in between it leaves the trial alone');
    writeFileSync(`${records}/try/boot`, '00000000-0000-0000-0000-000000000000\n');
    const started = await run(program, argv);
    assert.equal(started.status, 0, said(started));
    assert.deepEqual(files(), before);
  });

  change('a crash between any two files leaves all of them old, or all of them new', async () => {
    await pamDone('alice', 'enable', 'sudo', '--yes');
    const complete = files();
    await pamDone('alice', 'disable', 'sudo', '--yes');
    const ends = new Set<string>();
    for (let step = 1; step <= 4; step += 1) {
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
      const command = [process.execPath, ...product.command(['pam', 'enable', 'sudo', '--yes'])];
      await run('env', [`SUDO_UID=${owner('alice').SUDO_UID}`, 'strace', ...killed, ...command], {
        timeout: 90_000,
      });
      await isBack();
      const now = JSON.stringify(files());
      ends.add(
        now === JSON.stringify(before)
          ? 'old'
          : now === JSON.stringify(complete)
            ? 'new'
            : `step ${step}: ${now}`,
      );
      await pam('root', 'disable', 'sudo', '--yes');
    }
    assert.deepEqual([...ends].sort(), ['new', 'old']);
    rmSync(`${records}/done`, { recursive: true });
    mkdirSync(`${records}/done`, { mode: 0o700 });
  });
});
