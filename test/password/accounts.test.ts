import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { parseConfig } from '../../daemon/config/load.ts';
import { createPasswordHelper } from '../../daemon/host/password-helper.ts';
import { createLog } from '../../daemon/lib/log.ts';
import { scratch } from '../support/fido-rig.ts';
import { compileC, repoRoot } from '../support/native.ts';
import {
  askFrame,
  compileHelper,
  confdir,
  lookFrame,
  parts,
  RawPasswordHelper,
  shippedPasswordHelper,
  verdictIn,
} from '../support/password-rig.ts';
import { must, run, someoneListens, until } from '../support/rig/commands.ts';
import { daemonMain } from '../support/rig/layout.ts';
import { prepareMachine, syslog, work } from '../support/rig/machine.ts';
import { inNamespace } from '../support/rig/namespace.ts';
import { addPerson, password, setUpRoot } from '../support/rig/people.ts';
import { allowedCalls } from '../support/unit-calls.ts';

/** The shipped program and the shipped stack, with pam_unix and accounts of a separate machine. */
const secret = 'Nobody-Has-This-1';
const daemonUid = 990;
const listener = `${work}/password.sock`;

const client = `
use Socket; socket(my $s, PF_UNIX, SOCK_STREAM, 0) or die; connect($s, sockaddr_un($ARGV[0])) or die "connect: $!";
$s->autoflush(1); local $/; my $ask = <STDIN>; print $s $ask; shutdown($s, 1); my $said = <$s>; print $said if defined $said;
`;

function setShadow(name: string, change: (fields: string[]) => void): void {
  const lines = readFileSync('/etc/shadow', 'utf8').split('\n');
  const changed = lines.map((line) => {
    const fields = line.split(':');
    if (fields[0] === name) change(fields);
    return fields.join(':');
  });
  writeFileSync('/etc/shadow', changed.join('\n'));
}

/** What tools write into /etc/shadow for an account without a password. */
const fieldsWithout = { bang: '!', bangs: '!!', star: '*', starred: '!*' };
/** A possible password hash in an unknown format. */
const fieldsUnknown = { odd: 'x', locks: '*LK*', short: '!x' };

function addPeople(): void {
  setUpRoot();
  for (const name of ['alice', 'bob', 'locked', 'closed', 'stale', 'fresh', 'dead', 'open', 'nologin'])
    addPerson(name);
  for (const [name, field] of Object.entries(fieldsWithout)) {
    addPerson(name);
    setShadow(name, (fields) => fields.splice(1, 1, field));
  }
  setShadow('locked', (fields) => fields.splice(1, 1, `!${fields[1]}`));
  setShadow('closed', (fields) => fields.splice(7, 1, '1'));
  setShadow('stale', (fields) => fields.splice(2, 3, '1', '0', '1'));
  setShadow('fresh', (fields) => fields.splice(2, 1, '0'));
  setShadow('dead', (fields) => fields.splice(2, 5, '1', '0', '1', '7', '1'));
  setShadow('open', (fields) => fields.splice(1, 1, ''));
  const passwd = readFileSync('/etc/passwd', 'utf8');
  writeFileSync('/etc/passwd', passwd.replace(/^(nologin:.*:).*$/m, '$1/usr/sbin/nologin'));
  for (const [name, field] of Object.entries(fieldsUnknown)) {
    addPerson(name);
    setShadow(name, (fields) => fields.splice(1, 1, field));
  }
  appendFileSync('/etc/passwd', 'shadowless:x:3999:3999::/:/bin/sh\nplain:*:3998:3998::/:/bin/sh\n');
  appendFileSync('/etc/passwd', `sallyport:x:${daemonUid}:${daemonUid}::/:/usr/sbin/nologin\n`);
}

const hasAnalyze = spawnSync('systemd-analyze', ['--version']).error === undefined;
const analyze = { skip: hasAnalyze ? false : 'systemd-analyze is not here' };
const shippedStack = join(repoRoot, 'pam-config/pam.d/sallyport-password');

await inNamespace(import.meta.filename, async () => {
  const directory = scratch('password-accounts');
  let program = '';
  let sanitized = '';

  before(async () => {
    await prepareMachine();
    addPeople();
    copyFileSync(shippedStack, '/etc/pam.d/sallyport-password');
    program = `${work}/sallyport-password`;
    copyFileSync(await shippedPasswordHelper(), program);
    sanitized = await compileHelper('asan');
  });
  after(() => directory.remove());

  const ask = (user: string, typed = password, source?: string) =>
    askFrame({
      user: parts.user(user),
      password: parts.password(typed),
      source: source === undefined ? undefined : parts.source(source),
    });

  async function verdictOf(bytes: Buffer, which = program, args: readonly string[] = []) {
    const { verdict, code, stderr } = await new RawPasswordHelper(which, args).send(bytes).ended;
    assert.deepEqual([code, stderr], [0, '']);
    return verdict;
  }

  const accounts: readonly (readonly [string, string, string, string?])[] = [
    ['the password', 'right', 'alice'],
    ['that of root', 'right', 'root'],
    ['that of an account with another shell', 'right', 'nologin'],
    ['a wrong password', 'wrong', 'alice', 'correct-hors'],
    ['a password of another case', 'wrong', 'alice', 'Correct-horse'],
    ['a name that is no account', 'wrong', 'nobody-here'],
    ['a name that would be an option', 'wrong', '--confdir'],
    ['a name that would be a path', 'wrong', '../../etc/passwd'],
    ['an account without a password in shadow', 'wrong', 'sallyport'],
    ['a locked account', 'wrong', 'locked'],
    ['an expired account', 'wrong', 'closed'],
    ['an expired password', 'expired', 'stale'],
    ['a password that has to be changed', 'expired', 'fresh'],
    ['an expired password that is wrong', 'wrong', 'stale', 'guess'],
    ['a password that was not changed in time', 'wrong', 'dead'],
    ['an account that needs no password', 'wrong', 'open'],
    ['an account that needs no password, without one', 'wrong', 'open', ''],
    ['a password of 1024 bytes', 'wrong', 'alice', 'x'.repeat(1024)],
  ];

  describe('the shipped stack', { concurrency: 2 }, () => {
    for (const [what, expected, user, typed] of accounts)
      it(`${expected}: ${what}`, async () => {
        const bytes = ask(user, typed);
        assert.equal(await verdictOf(bytes), expected);
        assert.equal(await verdictOf(bytes, sanitized), expected, 'under the sanitizers');
      });

    for (const [what, expected, users] of [
      ['in shadow there is nothing that a password fits', 'none', Object.keys(fieldsWithout)],
      ['the field is empty', 'none', ['open']],
      ['passwd itself has it', 'none', ['plain']],
      ['there is a password, expired or not', 'set', ['alice', 'root', 'stale', 'fresh', 'dead', 'closed']],
      ['it is locked', 'set', ['locked']],
      ['the field has a form that is not known', 'set', Object.keys(fieldsUnknown)],
      ['shadow has no such line', 'set', ['shadowless', 'sallyport']],
      ['there is no such account', 'set', ['nobody-here', '--confdir', '../../etc/passwd']],
    ] as const)
      it(`answers "${expected}" for an account where ${what}`, async () => {
        for (const user of users) {
          assert.equal(await verdictOf(lookFrame(user)), expected, user);
          assert.equal(await verdictOf(lookFrame(user), sanitized), expected, `${user} under the sanitizers`);
        }
      });

    it('calls the password of an account that only a directory service has unknown', async () => {
      const nsswitch = readFileSync('/etc/nsswitch.conf', 'utf8');
      writeFileSync('/etc/nsswitch.conf', 'passwd: db\nshadow: db files\ngroup: files\n');
      assert.equal(await verdictOf(lookFrame('star')), 'set');
      writeFileSync('/etc/nsswitch.conf', nsswitch);
      assert.equal(await verdictOf(lookFrame('star')), 'none');
    });

    it('logs account and source, and not what was typed', async () => {
      assert.equal(await verdictOf(ask('alice', secret, '192.0.2.99')), 'wrong');
      await until('pam_unix has said so', () => syslog().includes('rhost=192.0.2.99'));
      assert.match(syslog(), /pam_unix\(sallyport-password:auth\): authentication failure;.*user=alice/);
      assert.ok(!syslog().includes(secret) && !syslog().includes(password));
    });

    it('answers a wrong password without delay', async () => {
      assert.equal(await verdictOf(ask('bob', 'guess')), 'wrong');
      // pam_unix delays by two seconds unless configured otherwise.
      assert.match(readFileSync('/etc/pam.d/sallyport-password', 'utf8'), /^auth .*pam_unix\.so nodelay$/m);
    });

    it('is required: without it every password is refused, whatever "other" says', async () => {
      const away = `${work}/other`;
      mkdirSync(`${away}/etc/pam.d`, { recursive: true });
      const script = `mount --bind ${away}/etc/pam.d /etc/pam.d && exec ${program}`;
      writeFileSync(`${away}/etc/pam.d/other`, 'auth required pam_unix.so\naccount required pam_unix.so\n');
      assert.equal(await verdictOf(ask('alice'), '/usr/bin/unshare', ['-m', 'sh', '-c', script]), 'failed');
      copyFileSync(shippedStack, `${away}/etc/pam.d/sallyport-password`);
      assert.equal(await verdictOf(ask('alice'), '/usr/bin/unshare', ['-m', 'sh', '-c', script]), 'right');
    });
  });

  describe('the lines for a directory service', { concurrency: 2 }, () => {
    /** pam_debug instead, with a known answer. */
    const stack = (name: string, auth: string, account: string) =>
      confdir(
        join(directory.path, name),
        readFileSync(shippedStack, 'utf8')
          .replaceAll(/^#(auth|account) /gm, '$1 ')
          .replaceAll(/pam_(sss|winbind)\.so( use_first_pass)?/g, `pam_debug.so auth=${auth} acct=${account}`)
          .split('\n'),
      );

    it('leave the accounts of /etc/passwd to pam_unix', async () => {
      const yes = ['--confdir', stack('yes', 'success', 'success')];
      assert.equal(await verdictOf(ask('alice'), program, yes), 'right');
      assert.equal(await verdictOf(ask('alice', 'guess'), program, yes), 'wrong');
      assert.equal(await verdictOf(ask('closed'), program, yes), 'wrong');
      assert.equal(await verdictOf(ask('fresh'), program, yes), 'expired');
      const no = ['--confdir', stack('no', 'auth_err', 'perm_denied')];
      assert.equal(await verdictOf(ask('alice'), program, no), 'right');
      const away = ['--confdir', stack('away', 'authinfo_unavail', 'authinfo_unavail')];
      assert.equal(await verdictOf(ask('alice'), program, away), 'right');
      assert.equal(await verdictOf(ask('alice', 'guess'), program, away), 'wrong');
    });

    it('let the directory service decide about its own accounts', async () => {
      const of = (auth: string, account: string) =>
        verdictOf(ask('elsewhere'), program, ['--confdir', stack(`${auth}-${account}`, auth, account)]);
      assert.equal(await of('success', 'success'), 'right');
      assert.equal(await of('success', 'new_authtok_reqd'), 'expired');
      assert.equal(await of('success', 'acct_expired'), 'wrong');
      assert.equal(await of('success', 'authinfo_unavail'), 'failed');
      assert.equal(await of('auth_err', 'success'), 'wrong');
      assert.equal(await of('authinfo_unavail', 'success'), 'wrong');
      assert.equal(await of('user_unknown', 'user_unknown'), 'wrong');
    });
  });

  describe('callers', { concurrency: 1 }, () => {
    const activated = (args: readonly string[] = [], path = listener) => {
      const child = spawn('systemd-socket-activate', ['-a', '--inetd', '-l', path, program, ...args], {
        stdio: 'ignore',
      });
      child.unref();
      return until('the listener', () => someoneListens(path)).then(() => chmodSync(path, 0o666));
    };
    before(() => activated());

    async function askedBy(uid: number, path = listener): Promise<string | undefined> {
      const ids = [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'];
      const child = spawn('setpriv', [...ids, 'perl', '-MIO::Handle', '-e', client, path]);
      const said: Buffer[] = [];
      child.stdout.on('data', (chunk: Buffer) => said.push(chunk));
      child.stdin.on('error', () => undefined);
      child.stdin.end(ask('alice'));
      await new Promise((resolve) => child.on('close', resolve));
      const answer = Buffer.concat(said);
      return answer.length === 0 ? 'nothing' : verdictIn(answer);
    }

    it('sallyportd and root are answered, over a socket of a service manager', async () => {
      assert.equal(await askedBy(daemonUid), 'right');
      assert.equal(await askedBy(0), 'right');
    });

    it('other users are not, and the log names them', async () => {
      for (const uid of [65534, 3000, 989]) {
        assert.equal(await askedBy(uid), 'nothing', `${uid}`);
        await until('it is in the log', () =>
          new RegExp(`sallyport-password\\[\\d+\\]: uid ${uid} asked for the password`).test(syslog()),
        );
      }
    });

    it('nor are they with a stack for a directory service', async () => {
      const path = `${work}/with-confdir.sock`;
      const own = confdir(join(directory.path, 'own'), readFileSync(shippedStack, 'utf8').split('\n'));
      await activated(['--confdir', own], path);
      for (const uid of [daemonUid, 0]) assert.equal(await askedBy(uid, path), 'nothing');
      await until('it is in the log', () => syslog().includes('--confdir is not for a socket'));
    });

    it('a file, a terminal or no input is not answered', async () => {
      const file = `${work}/ask`;
      writeFileSync(file, ask('alice'));
      for (const redirection of [`<${file}`, '</dev/null', '<&-', `<${file} >&-`, `<${file} 2>&-`]) {
        const asked = await run('sh', ['-c', `exec ${program} ${redirection}`]);
        assert.deepEqual([asked.status, asked.stdout], [1, ''], redirection);
      }
      for (const closed of ['>&-', '2>&-']) {
        const input = ask('alice').toString('latin1');
        const asked = await run('sh', ['-c', `exec ${program} ${closed}`], { input });
        assert.deepEqual([asked.status, asked.stdout], [1, ''], closed);
      }
    });

    it('without root a user can verify only their own password, through unix_chkpwd', async () => {
      chmodSync(directory.path, 0o755);
      const own = confdir(join(directory.path, 'self'), readFileSync(shippedStack, 'utf8').split('\n'));
      const as = { uid: 3000, gid: 3000 };
      const of = async (user: string, typed = password) =>
        (await new RawPasswordHelper(program, ['--confdir', own], as).send(ask(user, typed)).ended).verdict;
      assert.equal(await of('alice'), 'right');
      assert.equal(await of('alice', 'guess'), 'wrong');
      assert.notEqual(await of('bob'), 'right');
      const system = await new RawPasswordHelper(program, [], as).send(ask('alice')).ended;
      assert.equal(system.verdict, 'failed', 'with the stack of the system');
    });
  });

  describe('in a private directory', () => {
    it("init creates the helper's configuration there, and the daemon uses it", async () => {
      const root = `${work}/own`;
      const init = await run(process.execPath, [daemonMain, '--init', '--root', root]);
      assert.equal(init.status, 0, init.stderr);
      const file = `${root}/etc/sallyport.toml`;
      const parsed = parseConfig(readFileSync(file, 'utf8'), file, 'host.example');
      assert.ok(parsed.ok);
      const { passwordHelper = '', passwordServiceDir = '' } = parsed.config.paths;
      assert.equal(passwordServiceDir, `${root}/etc/pam.d`);
      assert.ok(init.stdout.includes(`made ${root}/etc/pam.d/sallyport-password`), init.stdout);
      const helper = createPasswordHelper({
        where: { program: passwordHelper, confdir: passwordServiceDir },
        log: createLog(() => undefined, false),
      });
      const check = (user: string, typed = password) => helper.check({ user, password: Buffer.from(typed) });
      assert.equal(await check('alice'), 'right');
      assert.equal(await check('alice', 'guess'), 'wrong');
      assert.equal(await check('fresh'), 'expired');
      assert.equal(await check('closed'), 'wrong');
      assert.equal(await check('open', ''), 'wrong');
      assert.equal(await helper.lacksPassword('star'), true);
      assert.equal(await helper.lacksPassword('alice'), false);
      assert.equal(await helper.lacksPassword('locked'), false);
      writeFileSync(`${passwordServiceDir}/sallyport-password`, 'auth required pam_sss.so\n');
      assert.equal(await helper.lacksPassword('star'), false, 'a directory may know a password');
    });
  });

  describe('confined as in its unit', { concurrency: 2 }, () => {
    it('it needs no capability, no network and no audit socket', async () => {
      const only = compileC('only_unix.c', `${work}/only_unix`);
      const bare = ['--bounding-set=-all', '--inh-caps=-all', '--no-new-privs', only, program];
      for (const [user, typed, expected] of [
        ['alice', password, 'right'],
        ['alice', 'guess', 'wrong'],
        ['fresh', password, 'expired'],
        ['closed', password, 'wrong'],
      ] as const)
        assert.equal(
          await verdictOf(ask(user, typed), '/usr/bin/setpriv', bare),
          expected,
          `${user} ${typed}`,
        );
      const held = await run('setpriv', [...bare.slice(0, -1), '/bin/grep', '^CapPrm', '/proc/self/status']);
      assert.match(held.stdout, /^CapPrm:\t0+$/m);
    });

    it('it makes no system call that the unit forbids', analyze, async () => {
      const may = allowedCalls(
        readFileSync(join(repoRoot, 'pam-config/systemd/sallyport-password@.service'), 'utf8'),
      );
      assert.ok(may.size > 100 && !may.has('mount') && !may.has('setresuid'));
      for (const bytes of [
        ask('alice'),
        ask('alice', 'guess'),
        ask('fresh'),
        ask('nobody-here'),
        lookFrame('star'),
      ]) {
        const trace = `${work}/calls`;
        await verdictOf(bytes, 'strace', ['-f', '-qq', '-o', trace, program]);
        const names = [...readFileSync(trace, 'latin1').matchAll(/^\d+ +(?:<\.\.\. )?(\w+)[( ]/gm)];
        const made = new Set(names.map(([, name = '']) => name).filter((name) => name !== 'execve'));
        assert.ok(made.size > 20);
        assert.deepEqual(
          [...made].filter((name) => !may.has(name)),
          [],
        );
      }
    });
  });

  describe('the password', { concurrency: 2 }, () => {
    it('is read once and written, sent or passed on nowhere', async () => {
      const trace = `${work}/trace`;
      const args = ['-f', '-s', '9999', '-o', trace, program];
      assert.equal(await verdictOf(ask('alice', secret), 'strace', args), 'wrong');
      const lines = readFileSync(trace, 'latin1').split('\n');
      const holding = lines.filter((line) => line.includes(secret));
      assert.ok(lines.length > 100 && holding.length === 1, `${holding.length}`);
      assert.match(holding[0] ?? '', /^\d+ +read\(0, /);
      const forks = /^\d+ +(?:clone|clone3|fork|vfork)\(/;
      assert.deepEqual(
        lines.filter((line) => forks.test(line)),
        [],
      );
    });

    it('is no longer in memory when the verdict is sent', async () => {
      const fifo = `${work}/verdict`;
      must('mkfifo', [fifo]);
      // A full pipe: the helper waits while writing its verdict.
      const full = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
      assert.throws(() => {
        for (;;) writeSync(full, Buffer.alloc(4096));
      }, /EAGAIN/);
      const child = spawn('sh', ['-c', `exec ${program} >${fifo}`], { stdio: ['pipe', 'ignore', 'inherit'] });
      child.stdin?.write(ask('alice', secret));
      const at = (name: string) => `/proc/${child.pid}/${name}`;
      await until('it writes', () =>
        /pipe_(wait_)?write|anon_pipe_write/.test(readFileSync(at('wchan'), 'latin1')),
      );
      const held = memoryOf(at('maps'), at('mem'));
      assert.ok(held.length > 100_000 && held.includes('sallyport-password'), `${held.length}`);
      assert.equal(held.includes(secret), false);
      child.kill('SIGKILL');
      closeSync(full);
    });
  });
});

/** All memory that a process can write to. */
function memoryOf(maps: string, mem: string): Buffer {
  const descriptor = openSync(mem, 'r');
  const pieces: Buffer[] = [];
  for (const [, from = '', to = ''] of readFileSync(maps, 'latin1').matchAll(/^(\w+)-(\w+) rw/gm)) {
    const start = Number.parseInt(from, 16);
    const piece = Buffer.alloc(Number.parseInt(to, 16) - start);
    readSync(descriptor, piece, 0, piece.length, start);
    pieces.push(piece);
  }
  closeSync(descriptor);
  return Buffer.concat(pieces);
}
