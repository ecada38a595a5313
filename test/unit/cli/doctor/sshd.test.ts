import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { examine } from '../../../../cli/doctor/examine.ts';
import { sshdCheck } from '../../../../cli/doctor/sshd.ts';
import { matchNames } from '../../../../cli/doctor/sshd-config.ts';
import { checkSettings } from '../../../../cli/doctor/sshd-rules.ts';
import { methodLists, readSettings } from '../../../../cli/lib/sshd-settings.ts';
import { FakeMachine } from '../../../support/doctor-machine.ts';

const settings = (...lines: readonly string[]) =>
  readSettings(
    ['usepam yes', 'pubkeyauthentication yes', 'logingracetime 120', ...lines].toReversed().join('\n'),
  );
const evaluated = (lines: readonly string[], about: Partial<Parameters<typeof checkSettings>[1]> = {}) =>
  checkSettings(settings(...lines), {
    user: 'alice',
    onePrompt: false,
    asksPassword: false,
    wantsKey: false,
    acceptsKeys: false,
    namesNetworks: false,
    ...about,
  }).map(({ id }) => id);

describe('login methods, as sshd resolves them', () => {
  test('host names matter if a rule names networks', () => {
    const about = { namesNetworks: true };
    assert.ok(evaluated(['usedns yes'], about).includes('sshd.host-names'));
    assert.ok(!evaluated(['usedns no'], about).includes('sshd.host-names'));
    assert.ok(!evaluated(['usedns yes']).includes('sshd.host-names'));
  });

  test('every list of methods must include PAM', () => {
    const on = ['kbdinteractiveauthentication yes', 'passwordauthentication no'];
    const cases: readonly (readonly [string, readonly string[]])[] = [
      ['publickey,keyboard-interactive:pam', []],
      ['keyboard-interactive:pam', []],
      ['any', ['sshd.single-factor']],
      ['publickey', ['sshd.single-factor']],
      ['publickey,keyboard-interactive:pam publickey,publickey', ['sshd.single-factor']],
      ['hostbased keyboard-interactive', ['sshd.single-factor']],
    ];
    for (const [methods, ids] of cases)
      assert.deepEqual(evaluated([...on, `authenticationmethods ${methods}`]), ids, methods);
    assert.deepEqual(evaluated([...on, 'pubkeyauthentication no', 'authenticationmethods any']), []);
  });

  test('the stack of one method with the settings of another', () => {
    const on = ['kbdinteractiveauthentication yes', 'passwordauthentication no'];
    const methods = (text: string) => [...on, `authenticationmethods ${text}`];
    const both = 'publickey,keyboard-interactive:pam';
    const password = { asksPassword: true };
    const key = { wantsKey: true };
    assert.deepEqual(evaluated(methods(both), password), ['sshd.key-and-password']);
    assert.deepEqual(evaluated(methods('keyboard-interactive:pam'), password), []);
    // Either method: users without a key type the password.
    assert.deepEqual(evaluated(methods(`${both} keyboard-interactive:pam`), password), []);
    assert.deepEqual(evaluated(methods(both), key), []);
    assert.deepEqual(evaluated(methods('keyboard-interactive:pam'), key), ['sshd.key-not-asked']);
  });

  test('a stack that prompts once may use the password method, one that prompts twice may not', () => {
    const password = [
      'kbdinteractiveauthentication no',
      'passwordauthentication yes',
      'authenticationmethods password',
    ];
    assert.deepEqual(evaluated(password, { onePrompt: true }), []);
    assert.deepEqual(evaluated(password), ['sshd.no-conversation']);
  });

  test('root with only a key, if a key is not enough', () => {
    const lines = [
      ...['kbdinteractiveauthentication yes', 'authenticationmethods publickey,keyboard-interactive:pam'],
      'permitrootlogin without-password',
    ];
    assert.deepEqual(evaluated(lines, { user: 'root' }), ['sshd.root-shut-out']);
    assert.deepEqual(evaluated(lines), []);
    assert.deepEqual(
      evaluated(['permitrootlogin no', 'usepam no'], { user: 'root' }),
      [],
      'root never gets in',
    );
  });

  test('methods that are not named are those that are enabled', () => {
    assert.deepEqual(methodLists(settings('authenticationmethods any', 'gssapiauthentication yes')), [
      ['publickey'],
      ['gssapi-with-mic'],
    ]);
  });
});

describe('accounts in Match blocks', () => {
  test('names and networks, in any spelling; patterns name none', () => {
    const text =
      'Match User bob,!eve,ad* Address 10.0.0.0/8\n  PermitTTY no\n\tmatch group=sftp\nMatch all\n';
    assert.deepEqual(matchNames([text]), { users: ['bob'], groups: ['sftp'], addresses: ['10.0.0.0/8'] });
  });

  test('they are examined, from inside and outside', async () => {
    const machine = new FakeMachine();
    machine.change(
      '/etc/ssh/sshd_config',
      {},
      'Match User bob Address 10.0.0.0/8\n AuthenticationMethods publickey\n',
    );
    machine.commands['sshd -T -C user=bob,host=10.0.0.0'] = {
      stdout: machine.sshd.replace(/^authenticationmethods .*$/m, 'authenticationmethods publickey'),
    };
    const [{ findings } = { findings: [] }] = await examine(machine, [sshdCheck]);
    assert.deepEqual(
      findings.map((one) => (one.severity === 'ok' ? 'ok' : `${one.id} ${one.summary}`)),
      ['sshd.single-factor "publickey" is enough to log in (bob from 10.0.0.0)'],
    );
  });
});

test('accounts that need no second factor over ssh lose none by a method that bypasses it', async () => {
  const machine = new FakeMachine();
  machine.sshd = machine.sshd.replace(/^authenticationmethods .*$/m, 'authenticationmethods any');
  machine.explained = () => ({ decision: 'not-needed', why: 'no-factor' });
  const [{ findings } = { findings: [] }] = await examine(machine, [sshdCheck]);
  assert.deepEqual(
    findings.map(({ severity }) => severity),
    ['ok'],
  );
});
