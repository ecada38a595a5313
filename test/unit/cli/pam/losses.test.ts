import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { readSettings } from '../../../../cli/lib/sshd-settings.ts';
import { recentLogins } from '../../../../cli/pam/candidates.ts';
import { shipped } from '../../../../cli/pam/installed.ts';
import { readStack } from '../../../../cli/pam/read.ts';
import { withDropIns } from '../../../../cli/pam/sshd-preview.ts';
import { type Means, type Obstacle, overSsh, throughPam } from '../../../../cli/pam/ways.ts';
import { distribution, memoryFiles } from '../../../support/pam-stacks.ts';

const directory = '/etc/ssh/sshd_config.d';
const debian = memoryFiles({
  ...distribution('debian-12'),
  'sallyport-sshd': shipped('pam.d/sallyport-sshd'),
  'sallyport-sshd-key': shipped('pam.d/sallyport-sshd-key'),
  'sallyport-one-prompt': shipped('pam.d/sallyport-one-prompt'),
});
const stackOf = (name: string) => readStack(debian, name, 'auth');

const person = { name: 'alice', uid: 1_000, gid: 1_000, home: '/home/alice', shell: '/bin/bash' };
const alice: Means = { account: person, password: true, decision: 'ask' };

describe("sshd's configuration with drop-ins that are not written yet", () => {
  const cases: readonly (readonly [
    string,
    readonly string[],
    Readonly<Record<string, string | undefined>>,
    string,
  ])[] = [
    [
      'Include D/*.conf\nUsePAM no',
      ['50-x.conf'],
      { '00-s.conf': '/t/0' },
      'Include /t/0 D/50-x.conf\nUsePAM no',
    ],
    [
      'Include D/*.conf',
      ['a.conf', '00-k.conf'],
      { '00-k.conf': undefined, '00-p.conf': '/t/1' },
      'Include /t/1 D/a.conf',
    ],
    [
      'include sshd_config.d/5*.conf /x/*.conf',
      ['50-x.conf'],
      { '00-s.conf': '/t/0' },
      'Include D/50-x.conf /x/*.conf',
    ],
    ['Include="D/*.conf"', [], { '00-s.conf': '/t/0' }, 'Include /t/0'],
    ['Include D/*.conf', ['.hidden.conf', 'a.conf.bak'], {}, '# nothing to include'],
    ['Include D/00-s.conf', ['00-s.conf'], { '00-s.conf': '/t/0' }, 'Include /t/0'],
    ['Match User x\n  Include D/*.conf', [], { '00-s.conf': '/t/0' }, 'Match User x\n  Include /t/0'],
    ['# Include D/*.conf', [], { '00-s.conf': '/t/0' }, '# Include D/*.conf'],
  ];
  for (const [main, names, changed, expected] of cases)
    it(main.replaceAll('\n', ' / '), () => {
      const paths = new Map(
        Object.entries(changed).map(([name, place]) => [`${directory}/${name}`, place] as const),
      );
      const made = withDropIns(main.replaceAll('D/', `${directory}/`), names, paths);
      assert.equal(made, expected.replaceAll('D/', `${directory}/`));
    });
});

describe('a login method over ssh', () => {
  const base = ['usepam yes', 'permitrootlogin prohibit-password', 'pubkeyauthentication yes'];
  const both = ['kbdinteractiveauthentication yes', 'passwordauthentication yes'];
  const methods = (text: string) => ['kbdinteractiveauthentication yes', `authenticationmethods ${text}`];
  const key = 'publickey,keyboard-interactive:pam';
  const code = 'keyboard-interactive:pam';
  const root = { ...person, name: 'root', uid: 0 };

  const cases: readonly (readonly [string, string, readonly string[], Partial<Means>, boolean, Obstacle])[] =
    [
      ['a password', 'sshd', both, {}, false, undefined],
      ['no password, and a key', 'sshd', both, { password: false }, true, undefined],
      ['neither', 'sshd', both, { password: false }, false, 'key'],
      ['a directory that may know a password', 'sshd', both, { password: undefined }, false, undefined],
      ['key and code', 'sallyport-sshd-key', methods(key), { password: false }, true, undefined],
      ['key and code, without a key', 'sallyport-sshd-key', methods(key), {}, false, 'key'],
      ['the stack of the key, and no key asked for', 'sallyport-sshd-key', methods(code), {}, true, 'key'],
      ['password and code', 'sallyport-sshd', methods(code), {}, false, undefined],
      [
        'password and code, without a password',
        'sallyport-sshd',
        methods(code),
        { password: false },
        true,
        'password',
      ],
      [
        'key and password, with neither',
        'sallyport-sshd',
        methods(key),
        { password: false },
        true,
        'password',
      ],
      ['no factor', 'sallyport-sshd', methods(code), { decision: 'refused' }, false, 'refused'],
      [
        'a factor that is added in the login',
        'sallyport-sshd',
        methods(code),
        { decision: 'enrol' },
        false,
        undefined,
      ],
      [
        'one that cannot be added there',
        'sallyport-one-prompt',
        ['passwordauthentication yes', 'authenticationmethods password'],
        { decision: 'enrol' },
        false,
        'refused',
      ],
      ['nothing is needed', 'sallyport-sshd', methods(code), { decision: 'not-needed' }, false, undefined],
      ['no conversation', 'sallyport-sshd', [`authenticationmethods ${code}`], {}, true, 'methods'],
      ['root by key', 'sshd', both, { account: root }, true, undefined],
      ['root by key and code', 'sallyport-sshd-key', methods(key), { account: root }, true, 'root'],
      [
        'root where it may',
        'sallyport-sshd',
        ['permitrootlogin yes', ...methods(code)],
        { account: root },
        false,
        undefined,
      ],
      ['root where it may not', 'sshd', ['permitrootlogin no', ...both], { account: root }, true, 'root'],
    ];
  for (const [name, stack, lines, means, hasKey, expected] of cases)
    it(`${name}: ${expected ?? 'open'}`, () => {
      const text = [...lines, ...base].join('\n');
      const login = overSsh(
        { settings: readSettings(text), text },
        stackOf(stack),
        { ...alice, ...means },
        () => hasKey,
      );
      assert.equal(login.obstacle, expected);
    });

  it('that bypasses PAM is reported', () => {
    const text = [...base, ...methods(`publickey ${code}`)].join('\n');
    const resolved = { settings: readSettings(text), text };
    assert.ok(overSsh(resolved, stackOf('sallyport-sshd'), alice, () => true).pastPam);
    assert.ok(!overSsh(resolved, stackOf('sallyport-sshd'), alice, () => false).pastPam);
  });
});

describe('a stack simulated without sshd', () => {
  it('needs the password, and the decision of sallyportd; root has no separate line', () => {
    const su = stackOf('su');
    assert.ok(throughPam(su, alice));
    assert.ok(!throughPam(su, { ...alice, password: false }));
    assert.ok(throughPam(stackOf('sallyport-sshd'), alice));
    assert.ok(!throughPam(stackOf('sallyport-sshd'), { ...alice, decision: 'refused' }));
  });

  for (const [option, adds] of [
    ['first_factor=passed', true],
    ['password_and_code', false],
    ['use_first_pass', false],
    ['first_pass', false],
  ] as const)
    it(`${adds ? 'lets' : 'does not let'} an account add a factor in the login with ${option}`, () => {
      const text = `auth requisite pam_unix.so\nauth requisite pam_sallyport.so ${option}\n`;
      const stack = readStack(memoryFiles({ vnc: text }), 'vnc', 'auth');
      assert.equal(throughPam(stack, { ...alice, decision: 'enrol' }), adds);
    });
});

describe('logins of the last 30 days', () => {
  const place = mkdtempSync(join(tmpdir(), 'sallyport-wtmp-'));
  after(() => rmSync(place, { recursive: true }));
  const now = Date.parse('2026-03-01T12:00:00Z');
  const record = (type: number, name: string, host: string, daysAgo: number): Buffer => {
    const bytes = Buffer.alloc(384);
    bytes.writeInt16LE(type, 0);
    bytes.write(name, 44);
    bytes.write(host, 76);
    bytes.writeUInt32LE((now - daysAgo * 86_400_000) / 1_000, 340);
    return bytes;
  };

  it('are those of wtmp, with the newest address; garbage is ignored', () => {
    const file = join(place, 'wtmp');
    const records = [
      record(7, 'alice', '192.0.2.7', 20),
      record(7, 'alice', '198.51.100.9', 2),
      record(7, 'bob', 'host.example.org', 3),
      record(7, 'carol', '', 31),
      record(2, 'reboot', '', 1),
      record(8, 'dave', '', 1),
      Buffer.from('half a record'),
    ];
    writeFileSync(file, Buffer.concat(records));
    assert.deepEqual(Object.fromEntries(recentLogins(now, [file, join(place, 'none')])), {
      alice: '198.51.100.9',
      bob: '',
    });
    writeFileSync(file, '');
    assert.equal(recentLogins(now, [file]).size, 0);
  });
});
