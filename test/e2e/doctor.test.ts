import assert from 'node:assert/strict';
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { must, run } from '../support/rig/commands.ts';
import { cliMain, repository } from '../support/rig/layout.ts';
import { work } from '../support/rig/machine.ts';
import { inNamespace } from '../support/rig/namespace.ts';
import { preparePamMachine, snapshot } from '../support/rig/pam-machine.ts';
import { addGroup, addPerson, as, setUpRoot } from '../support/rig/people.ts';
import { staffAndRest } from '../support/rig/realms.ts';
import { scenario } from '../support/rig/scenario.ts';
import { authorizeKey, makeSshKeys, ssh, startDistributedSshd, startSshd } from '../support/rig/ssh.ts';
import { useSnippet } from '../support/rig/stack.ts';
import { Terminal } from '../support/rig/terminal.ts';

/** `sallyport doctor` on a machine with real stacks, a real sshd and sallyportd: one thing after the other breaks. */
const realms = `
[[realm]]
name = "ops"
members = { groups = ["ops"] }
require = "any"

${staffAndRest}`;

interface Found {
  readonly severity: string;
  readonly id?: string;
  readonly check: string;
  readonly summary: string;
  readonly fix?: string;
  readonly accounts?: readonly string[];
}
interface Report {
  readonly status: number | null;
  readonly worst: string;
  readonly complete: boolean;
  readonly findings: readonly Found[];
}

await inNamespace(import.meta.filename, async () => {
  const product = await preparePamMachine(realms);
  setUpRoot();
  const alice = addPerson('alice');
  addGroup('ops', 4000, ['alice']);
  await product.addRecovery('alice');
  const keys = await product.addRecovery('root');
  makeSshKeys();
  await startDistributedSshd(2241);
  const pam = join(repository, 'pam-config/pam.d');
  for (const name of readdirSync(pam)) copyFileSync(join(pam, name), join('/etc/pam.d', name));
  useSnippet('sshd', 'sallyport-sshd-key');
  for (const name of ['sudo', 'su', 'login']) useSnippet(name, `sallyport-${name}`);
  useSnippet('sudo-i', 'sallyport-sudo');
  const dropIn = 'sallyport-key-code.conf';
  const directory = '/etc/ssh/sshd_config.d';
  copyFileSync(join(repository, 'pam-config/sshd_config.d', dropIn), join(directory, dropIn));
  writeFileSync(join(directory, 'root.conf'), 'PermitRootLogin no\n');

  const config = readFileSync(product.config, 'utf8');
  const ask = async (command: readonly string[]): Promise<Report> => {
    const { status, stdout, stderr } = await run(process.execPath, command, { timeout: 90_000 });
    try {
      return { status, ...(JSON.parse(stdout) as Omit<Report, 'status'>) };
    } catch {
      throw new Error(`status ${status}\n${stdout}${stderr}`);
    }
  };
  const doctor = (): Promise<Report> => ask(product.command(['doctor', '--json']));
  const errors = ({ findings }: Report) => findings.filter(({ severity }) => severity === 'error');
  const reported = (report: Report) =>
    report.findings.map(({ id, summary }) => `${id ?? 'ok'}: ${summary}`).join('\n');

  /** Breaks something, expects the finding, and repairs it. */
  function broken(
    id: string,
    harm: () => void | Promise<void>,
    repair: () => void | Promise<void>,
    says: RegExp,
  ) {
    scenario(product, `${id}: found, status 1`, async () => {
      await harm();
      try {
        const report = await doctor();
        const found = report.findings.filter((one) => one.id === id);
        assert.ok(found.length > 0, reported(report));
        assert.match(found.map(({ summary }) => summary).join('\n'), says);
        assert.equal(found[0]?.severity, 'error');
        assert.equal(report.status, 1);
        assert.ok(!found[0]?.fix?.match(/\bsallyport (?!--config)[a-z]/), 'commands are complete');
      } finally {
        await repair();
      }
    });
  }
  /** Adds a line or table of the test to the configuration, and activates it. */
  const configured = async (text: string): Promise<void> => {
    writeFileSync(product.config, text);
    await product.must(['reload']);
  };
  const file = (path: string, text: string) => [() => writeFileSync(path, text), () => rmSync(path)] as const;

  scenario(product, 'a machine without faults: no error, status 0, and nothing was changed', async () => {
    // The anchor may be up to a second behind the store.
    const look = () => [
      snapshot('/etc/pam.d', '/etc/ssh', directory),
      must('find', [
        `${work}/sallyport/etc`,
        `${work}/sallyport/var`,
        ...['-not', '-name', 'anchor'],
        '-printf',
        '%p %m %T@ %s\n',
      ]),
    ];
    const before = look();
    const report = await doctor();
    assert.deepEqual(errors(report), []);
    assert.equal(report.status, 0);
    const good = report.findings.filter(({ severity }) => severity === 'ok').map(({ check }) => check);
    for (const check of [
      'daemon',
      'store',
      'owners and modes',
      'sockets',
      'sshd',
      'realms',
      'members',
      'root console fallback',
    ])
      assert.ok(good.includes(check), `${check} is not called good\n${reported(report)}`);
    const [first, stacks] = ['daemon', 'PAM stacks'].map((name) =>
      report.findings.find(({ check }) => check === name),
    );
    assert.equal(report.findings[0], first, 'the daemon comes first');
    for (const name of ['sshd', 'sudo', 'su', 'login'])
      assert.match(stacks?.summary ?? '', new RegExp(`\\b${name}\\b`));
    assert.deepEqual(look(), before);
  });

  broken(
    'mode.writable',
    () => chmodSync(product.config, 0o666),
    () => chmodSync(product.config, 0o644),
    /sallyport\.toml has mode 0666/,
  );

  const sudo = readFileSync('/etc/pam.d/sallyport-sudo', 'utf8');
  broken(
    'pam.skipped',
    () => writeFileSync('/etc/pam.d/sallyport-sudo', `auth sufficient pam_unix.so\n${sudo}`),
    () => writeFileSync('/etc/pam.d/sallyport-sudo', sudo),
    /sallyport-sudo:1\)/,
  );

  broken('sshd.pam-off', ...file(join(directory, '00.conf'), 'UsePAM no\n'), /UsePAM is off \(.*alice/);

  broken(
    'sshd.single-factor',
    ...file(join(directory, 'zz.conf'), 'Match User alice\n  AuthenticationMethods publickey\n'),
    /"publickey" is enough to log in \(alice\)$/,
  );

  broken(
    'member.no-factor',
    () => void addPerson('carol'),
    () => product.addRecovery('carol').then(() => undefined),
    /^carol.*: realm "staff"/,
  );

  const group = readFileSync('/etc/group', 'utf8');
  broken(
    'realm.group-gone',
    () => writeFileSync('/etc/group', group.replace(/^ops:.*\n/m, '')),
    () => writeFileSync('/etc/group', group),
    /the group ops, which does not exist/,
  );

  broken(
    'portal.certificate-expired',
    async () => {
      const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-batch'];
      const [crt, secret] = [`${work}/portal.crt`, `${work}/portal.key`];
      const name = ['-subj', '/CN=login.example.org', '-addext', 'subjectAltName=DNS:login.example.org'];
      const command = [
        'openssl',
        'req',
        '-x509',
        ...key,
        '-keyout',
        secret,
        '-out',
        crt,
        '-days',
        '1',
        ...name,
      ];
      must('faketime', ['-f', '-30d', ...command]);
      const portal = `[webauthn]\nrp_id = "login.example.org"\n[portal]\norigins = ["https://login.example.org"]\nuser = "alice"\ncert_file = "${crt}"\nkey_file = "${secret}"\n`;
      await configured(config.replace('[[realm]]', `${portal}[[realm]]`));
    },
    () => configured(config),
    /expired at/,
  );

  const store = `${work}/sallyport/var/store`;
  broken(
    'store.missing',
    async () => {
      await product.stop();
      renameSync(`${store}/CURRENT`, `${work}/CURRENT`);
    },
    async () => {
      renameSync(`${work}/CURRENT`, `${store}/CURRENT`);
      await product.start();
    },
    /CURRENT is missing/,
  );

  scenario(
    product,
    'without sallyportd: that is reported first, and everything that can be read is checked',
    async () => {
      await product.stop();
      try {
        chmodSync(`${work}/sallyport/etc/master.key`, 0o644);
        const report = await doctor();
        assert.equal(report.findings[0]?.id, 'daemon.down');
        assert.equal(report.status, 1);
        assert.ok(!report.complete);
        assert.ok(
          report.findings.some(({ id }) => id === 'mode.readable'),
          reported(report),
        );
        assert.deepEqual(
          report.findings.filter(({ check, severity }) => check === 'store' && severity === 'ok'),
          [],
        );
      } finally {
        chmodSync(`${work}/sallyport/etc/master.key`, 0o600);
        await product.start();
      }
    },
  );

  scenario(product, 'what is reported about root and PermitRootLogin is what sshd does', async () => {
    authorizeKey({ name: 'root', uid: 0, home: '/home/root' });
    const login = async (port: number, permit: string): Promise<number | null> => {
      await startSshd(port, dropIn, [`PermitRootLogin ${permit}`]);
      const terminal = new Terminal(ssh('root', { port, key: true }, ['true']));
      await terminal.answer(/Recovery key: /, keys.shift() ?? '');
      // The client asks again if it was refused, and ends if it was logged in.
      const again = terminal.expect(/(?:Recovery key|password): /);
      return again.then(
        () => null,
        () => terminal.ended(),
      );
    };
    assert.equal(await login(2242, 'yes'), 0);
    assert.notEqual(await login(2243, 'prohibit-password'), 0);
    writeFileSync(join(directory, 'root.conf'), 'PermitRootLogin prohibit-password\n');
    const report = await doctor();
    writeFileSync(join(directory, 'root.conf'), 'PermitRootLogin no\n');
    assert.match(reported(report), /^sshd\.root-shut-out: .*\(root\)$/m);
    assert.equal(report.status, 0);
  });

  scenario(product, 'a full disk', async () => {
    const small = `${work}/small`;
    mkdirSync(small);
    must('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', small]);
    must(process.execPath, [cliMain, 'init', '--root', `${small}/root`]);
    writeFileSync(`${small}/filler`, Buffer.alloc(20 * 1024 * 1024));
    const { findings } = await ask([
      ...[cliMain, '--config', `${small}/root/etc/sallyport.toml`, 'doctor', '--json'],
    ]);
    must('umount', [small]);
    assert.ok(
      findings.some(({ id }) => id === 'disk.full'),
      findings.map(({ id }) => id).join(', '),
    );
  });

  scenario(product, 'users other than root: unchecked parts are reported, and never as passed', async () => {
    const { stdout, status } = await run('setpriv', [
      ...as(alice).slice(1),
      ...[process.execPath, ...product.commandForPeople(['doctor', '--json'])],
    ]);
    const report = { status, ...(JSON.parse(stdout) as Omit<Report, 'status'>) };
    assert.ok(!report.complete);
    const good = report.findings.filter(({ severity }) => severity === 'ok').map(({ check }) => check);
    for (const check of [
      'daemon',
      'store',
      'master key',
      'owners and modes',
      'sockets',
      'sshd',
      'members',
      'root console fallback',
    ])
      assert.ok(!good.includes(check), `${check} is called good`);
    assert.ok(!report.findings.some(({ id }) => id === 'check-failed'), reported(report));
  });

  scenario(
    product,
    'on a terminal passed checks are folded; without findings it names the next step',
    async () => {
      const full = new Terminal([process.execPath, ...product.command(['doctor'])]);
      const alone = new Terminal([process.execPath, ...product.command([])]);
      const own = new Terminal([...as(alice), process.execPath, ...product.commandForPeople([])]);
      for (const terminal of [full, alone, own]) assert.equal(await terminal.ended(), 0, terminal.transcript);
      assert.match(full.transcript, /passed: daemon, /);
      assert.doesNotMatch(full.transcript, /answers \(pid/);
      assert.match(alone.transcript, /protected services.*sshd/);
      assert.match(alone.transcript, /accounts.*3, with a factor: 3/);
      assert.match(alone.transcript, /nothing is left to do/);
      assert.match(own.transcript, /factors of alice.*recovery/);
      appendFileSync('/etc/ssh/sshd_config.d/00.conf', 'UsePAM no\n');
      const error = new Terminal([process.execPath, ...product.command([])]);
      assert.equal(await error.ended(), 0);
      assert.match(error.transcript, /sallyport --config \S+ doctor/);
      rmSync('/etc/ssh/sshd_config.d/00.conf');
      const piped = await product.cli([]);
      assert.equal(piped.status, 2);
      assert.equal(piped.stdout, '');
      assert.match(piped.stderr, /Usage: sallyport/);
    },
  );
});
