import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { repository } from '../../support/rig/layout.ts';

/**
 * The logic of the shipped stacks, with libpam itself and pam_debug instead of the module and of pam_unix: which
 * answers of the module allow which logins.
 */
const shipped = join(repository, 'pam-config/pam.d');
/** The stacks of logins; sallyport-password is not a login, and is tested in test/password. */
const stacks = readdirSync(shipped).filter((name) => name !== 'sallyport-password');
const directory = mkdtempSync(join(tmpdir(), 'sallyport-stacks-'));
after(() => rmSync(directory, { recursive: true }));

const application = join(directory, 'pam_app');
const compiled = spawnSync(
  'cc',
  ['-o', application, join(repository, 'test/native/pam_app.c'), '-lpam', '-Wall', '-Werror'],
  { encoding: 'utf8' },
);
assert.equal(compiled.status, 0, compiled.stderr);

const codes = {
  success: 0,
  service_err: 3,
  system_err: 4,
  perm_denied: 6,
  auth_err: 7,
  authinfo_unavail: 9,
  maxtries: 11,
  ignore: 25,
} as const;
type Answer = keyof typeof codes;

interface Login {
  /** login by default: the only service with a console fallback for root. */
  readonly service?: string;
  readonly user?: string;
  readonly tty?: string;
  readonly rhost?: string;
  readonly env?: string;
}

/** @returns the result of pam_authenticate */
function outcome(stack: string, answer: Answer, login: Login = {}, password: Answer = 'success'): number {
  const lines = stack
    .replaceAll(/^(auth.*)pam_sallyport\.so.*$/gm, `$1pam_debug.so auth=${answer}`)
    .replaceAll(/^(auth.*)pam_unix\.so.*$/gm, `$1pam_debug.so auth=${password}`);
  const { service = 'login', user = 'root', tty = 'pts/0', rhost, env } = login;
  writeFileSync(join(directory, service), lines);
  const options = ['--confdir', directory, '--tty', tty];
  if (rhost !== undefined) options.push('--rhost', rhost);
  if (env !== undefined) options.push('--env', env);
  const run = spawnSync(application, [...options, service, user], { encoding: 'utf8' });
  const line = /^authenticate (\d+)/m.exec(run.stdout);
  assert.ok(line, `${run.stdout}${run.stderr}`);
  return Number(line[1]);
}

const read = (name: string): string => readFileSync(join(shipped, name), 'utf8');
const answers = Object.keys(codes) as Answer[];
/** Services without a console fallback for root, whatever terminal the login claims. */
const notLogin = ['su', 'su-l', 'sudo', 'sudo-i', 'remote', 'sshd', 'cron', 'logins', 'xlogin'];
const withKey: Login = { env: 'SSH_AUTH_INFO_0=publickey ssh-ed25519 AAAA\n' };

describe('every shipped stack', () => {
  for (const name of stacks) {
    const text = read(name);
    const login = name === 'sallyport-sshd-key' ? withKey : {};

    test(`${name}: success and ignore are accepted, nothing else is`, () => {
      for (const answer of answers) {
        const expected = answer === 'success' || answer === 'ignore' ? 0 : codes[answer];
        assert.equal(outcome(text, answer, login), expected, answer);
      }
    });

    test(`${name}: no answer of the module compensates for a wrong password`, () => {
      if (!/^auth.*pam_unix/m.test(text)) return;
      for (const answer of answers) {
        assert.notEqual(outcome(text, answer, { tty: 'tty1' }, 'auth_err'), 0, answer);
        assert.notEqual(outcome(text, answer, { tty: 'tty1' }, 'authinfo_unavail'), 0, answer);
      }
    });

    test(`${name}: says what happens when sallyportd is away, and ends in pam_permit`, () => {
      assert.match(text, /^# While sallyportd is unavailable: /m);
      const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
      assert.match(lines.at(-1) ?? '', /^auth\s+required\s+pam_permit\.so$/);
    });

    test(`${name}: first_factor=passed follows a line that ends on a wrong password`, () => {
      const lines = text.split('\n').filter((line) => line.startsWith('auth'));
      const passed = lines.findIndex((line) => line.includes('first_factor=passed'));
      const password = lines.findIndex((line) => /^auth\s+requisite\s+pam_unix\.so/.test(line));
      if (passed >= 0) assert.ok(password >= 0 && password < passed);
    });
  }
});

describe("root's console fallback", () => {
  const console = read('sallyport-login');
  const without = console.replace(/^auth.*pam_succeed_if.*\n/m, '');
  const local: Login = { tty: 'tty1' };

  test('applies to uid 0 on a local terminal when no daemon answers, and only then', () => {
    for (const tty of ['tty1', '/dev/tty1', 'console', '/dev/ttyS0'])
      assert.equal(outcome(console, 'authinfo_unavail', { tty }), 0, tty);
    assert.equal(outcome(console, 'authinfo_unavail', { tty: 'tty1', rhost: '' }), 0);
    for (const answer of answers.filter((one) => !['success', 'ignore', 'authinfo_unavail'].includes(one)))
      assert.equal(outcome(console, answer, local), codes[answer], answer);
  });

  test('does not apply to other accounts, pseudo-terminals and remote logins', () => {
    const unavailable = codes.authinfo_unavail;
    assert.equal(outcome(console, 'authinfo_unavail', { user: 'nobody', tty: 'tty1' }), unavailable);
    assert.equal(outcome(console, 'authinfo_unavail', { user: 'no-such-user', tty: 'tty1' }), unavailable);
    for (const tty of ['pts/0', '/dev/pts/1', 'ssh', '', 'tty', '/dev/', 'tty10', 'tty1x', 'pts/tty1', ':0'])
      assert.equal(outcome(console, 'authinfo_unavail', { tty }), unavailable, tty);
    assert.equal(outcome(console, 'authinfo_unavail', { tty: 'tty1', rhost: '192.0.2.1' }), unavailable);
  });

  test('belongs only to login: no other service that includes the stack has it', () => {
    for (const service of notLogin)
      for (const tty of ['tty1', '/dev/tty1', 'ttyS0', '/dev/ttyS0', 'console', '/dev/hvc0'])
        assert.equal(
          outcome(console, 'authinfo_unavail', { service, tty }),
          codes.authinfo_unavail,
          `${service} on ${tty}`,
        );
  });

  test('is one line: without it root is refused, and everything else is unchanged', () => {
    assert.notEqual(without, console);
    assert.equal(outcome(without, 'authinfo_unavail', local), codes.authinfo_unavail);
    for (const answer of answers)
      assert.equal(
        outcome(without, answer, { user: 'nobody' }),
        outcome(console, answer, { user: 'nobody' }),
      );
  });

  test('is in no other shipped stack', () => {
    for (const name of stacks.filter((one) => one !== 'sallyport-login'))
      assert.notEqual(outcome(read(name), 'authinfo_unavail', { ...withKey, ...local }), 0, name);
  });
});

describe('key and code', () => {
  const stack = read('sallyport-sshd-key');

  test('every login without a key verified by sshd is refused, whatever the module returns', () => {
    for (const value of ['', 'password\n', 'keyboard-interactive/pam\n', 'publickeyx y\n', 'publickey'])
      for (const answer of ['success', 'ignore'] as const)
        assert.notEqual(outcome(stack, answer, { env: `SSH_AUTH_INFO_0=${value}` }), 0, value);
    assert.notEqual(outcome(stack, 'ignore'), 0);
  });

  test('pam_env, which reads files of users, sets nothing during authentication', () => {
    const file = join(directory, 'environment');
    writeFileSync(file, `SSH_AUTH_INFO_0=${withKey.env?.slice('SSH_AUTH_INFO_0='.length) ?? ''}`);
    const forging = `auth required pam_env.so readenv=1 envfile=${file} user_readenv=1\n${stack}`;
    assert.equal(outcome(forging, 'success', withKey), 0);
    assert.notEqual(outcome(forging, 'success'), 0);
  });
});

describe('the profile of pam-auth-update', () => {
  const profile = readFileSync(join(repository, 'pam-config/pam-configs/sallyport'), 'utf8');
  const lines = [...profile.matchAll(/^\t(.*)$/gm)].map((match) => `auth\t${match[1]}\n`).join('');
  /** As pam-auth-update writes common-auth, with another profile after ours. */
  const common = `auth [success=1 default=ignore] pam_unix.so nullok
auth requisite pam_deny.so
auth required pam_permit.so
${lines}auth optional pam_debug.so
`;
  const without = common.replace(/^auth.*pam_succeed_if.*\n/m, '');

  test('is off until an administrator enables it, and follows the password', () => {
    assert.match(profile, /^Default: no$/m);
    assert.match(profile, /^Auth-Type: Additional$/m);
    assert.doesNotMatch(profile, /^(Account|Session|Password)/m);
  });

  test('success and ignore are accepted, nothing else is, and never a wrong password', () => {
    for (const [stack, login] of [
      [common, {}],
      [common, { tty: 'ssh', rhost: '192.0.2.1' }],
      [common, { user: 'nobody', tty: 'tty1' }],
      [without, { tty: 'tty1' }],
    ] as const)
      for (const answer of answers) {
        const expected = answer === 'success' || answer === 'ignore' ? 0 : codes[answer];
        assert.equal(outcome(stack, answer, login), expected, `${answer} ${JSON.stringify(login)}`);
        assert.notEqual(outcome(stack, answer, login, 'auth_err'), 0, answer);
      }
  });

  test('root on a local terminal is accepted with the password when no daemon answers, and only then', () => {
    assert.equal(outcome(common, 'authinfo_unavail', { tty: 'tty1' }), 0);
    assert.equal(outcome(common, 'authinfo_unavail', { tty: '/dev/tty1' }), 0);
    assert.notEqual(outcome(common, 'authinfo_unavail', { tty: 'tty1' }, 'auth_err'), 0);
    for (const answer of answers.filter((one) => !['success', 'ignore', 'authinfo_unavail'].includes(one)))
      assert.equal(outcome(common, answer, { tty: 'tty1' }), codes[answer], answer);
  });

  test('no service but login has a console fallback, on whatever terminal', () => {
    for (const service of notLogin)
      for (const tty of ['tty1', '/dev/tty1', 'ttyS0', '/dev/ttyS0', 'console', '/dev/hvc0'])
        assert.equal(
          outcome(common, 'authinfo_unavail', { service, tty }),
          codes.authinfo_unavail,
          `${service} on ${tty}`,
        );
  });

  test('its terminals are those of the console', () => {
    const terminals = (text: string) => /tty in (\S+)/.exec(text)?.[1];
    assert.equal(terminals(profile), terminals(read('sallyport-login')));
  });
});
