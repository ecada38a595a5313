import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { checkService, guards } from '../../../../cli/pam/check.ts';
import type { FindingCode } from '../../../../cli/pam/lines.ts';
import { readStack } from '../../../../cli/pam/read.ts';
import { olderWayIn, Stacks } from '../../../support/pam-stacks.ts';
import { projectRoot } from '../../../support/project.ts';

const stacks = new Stacks();
const shipped = join(projectRoot, 'pam-config/pam.d');

function codes(text: string, service = 'service'): readonly FindingCode[] {
  stacks.write(service, text);
  return checkService(stacks.files, service).map(({ code }) => code);
}

const ours = 'auth requisite pam_sallyport.so first_factor=passed\n';
const permit = 'auth required pam_permit.so\n';
const password = 'auth requisite pam_unix.so\n';
/** Debian's common-auth. */
const debian = `auth [success=1 default=ignore] pam_unix.so nullok
auth requisite pam_deny.so
auth required pam_permit.so
auth optional pam_cap.so
`;
/** Fedora's password-auth. */
const fedora = `auth required pam_env.so
auth sufficient pam_unix.so nullok
auth required pam_deny.so
`;

describe('every shipped stack', () => {
  for (const name of readdirSync(shipped).filter((one) => one !== 'sallyport-password'))
    it(`${name} has no fault`, () => {
      const text = readFileSync(join(shipped, name), 'utf8');
      assert.deepEqual(codes(text), []);
      assert.deepEqual(codes(text, 'login'), name === 'sallyport-login' ? ['roots-way-in'] : []);
      assert.ok(guards(readStack(stacks.files, 'service', 'auth')));
    });
});

describe("root's console fallback", () => {
  const behind = (condition: string) =>
    `${password}${olderWayIn.replace(/uid = 0 .*$/m, condition)}${permit}`;
  const console = 'rhost !~ ?* tty in tty1:/dev/ttyS0';
  const cases: readonly (readonly [string, string, FindingCode | undefined])[] = [
    [`uid = 0 ${console}`, 'login', 'roots-way-in'],
    [`service = login uid = 0 ${console}`, 'login', 'roots-way-in'],
    [`service = login uid = 0 ${console}`, 'su', undefined],
    [`service in login:remote uid = 0 ${console}`, 'su', undefined],
    [`service in login:su uid = 0 ${console}`, 'su', 'way-around'],
    [`uid = 0 ${console}`, 'su', 'way-around'],
    [`uid = 0 ${console}`, 'remote', 'way-around'],
    [`user = root ${console}`, 'sudo', 'way-around'],
    ['uid = 0 rhost !~ ?* tty in tty1:pts/0', 'login', 'way-around'],
    ['uid = 0 rhost !~ ?*', 'login', 'way-around'],
    ['uid = 0 tty in tty1', 'login', 'way-around'],
    // use_uid asks for the uid of login itself, which is always 0.
    [`use_uid uid = 0 ${console}`, 'login', 'answer-not-binding'],
    [`uid >= 0 ${console}`, 'login', 'answer-not-binding'],
  ];
  for (const [condition, service, expected] of cases)
    it(`"${condition}" in ${service}: ${expected ?? 'shut'}`, () =>
      assert.deepEqual(codes(behind(condition), service), expected === undefined ? [] : [expected]));
});

describe('faults in a stack', () => {
  const cases: readonly (readonly [string, string, readonly FindingCode[]])[] = [
    ['nothing, behind Debian’s common-auth', `${debian}${ours}${permit}`, []],
    ['nothing, where the module is not there', debian, []],
    [
      'a password that does not end',
      `auth required pam_unix.so\n${ours}${permit}`,
      ['first-factor-unverified'],
    ],
    ['no password at all', `${ours}${permit}`, ['first-factor-unverified']],
    [
      'a password in a substack, which ends the substack alone',
      `auth substack @/fedora\n${ours}${permit}`,
      ['first-factor-unverified'],
    ],
    [
      'one that says nothing of the password',
      `auth required pam_unix.so\nauth requisite pam_sallyport.so\n${permit}`,
      [],
    ],
    [
      'sufficient in front',
      `auth sufficient pam_unix.so\n${ours}${permit}`,
      ['first-factor-unverified', 'skipped'],
    ],
    [
      'an include that is done, and does not die',
      `auth include @/fedora\n${ours}${permit}`,
      ['first-factor-unverified', 'skipped'],
    ],
    [
      'a jump over it',
      `auth [success=1 default=ignore] pam_succeed_if.so user ingroup x\n${password}${ours}${permit}`,
      ['first-factor-unverified'],
    ],
    [
      'a jump over both',
      `${password}auth [success=1 default=ignore] pam_succeed_if.so user ingroup x\n${ours}${permit}`,
      ['skipped'],
    ],
    [
      'su, where root is asked for nothing',
      `auth sufficient pam_rootok.so\n${password}${ours}${permit}`,
      ['root-not-asked'],
    ],
    ['wheel with trust', `auth sufficient pam_wheel.so trust\n${password}${ours}${permit}`, ['skipped']],
    [
      'optional',
      `${password}auth optional pam_sallyport.so first_factor=passed\n${permit}`,
      ['answer-not-binding'],
    ],
    [
      'sufficient, and let in behind',
      `${password}auth sufficient pam_sallyport.so first_factor=passed\n${permit}`,
      ['answer-not-binding'],
    ],
    [
      'open to everybody while the daemon is away',
      `${password}auth [success=ok ignore=ignore authinfo_unavail=ignore default=die] pam_sallyport.so first_factor=passed\n${permit}`,
      ['answer-not-binding'],
    ],
    [
      'a module that only sets something up, and ends the stack',
      `auth sufficient pam_env.so\n${password}${ours}${permit}`,
      ['skipped'],
    ],
    [
      'nothing that vouches behind it',
      'auth [success=ignore default=die] pam_unix.so\nauth requisite pam_sallyport.so first_factor=passed\n',
      ['ignore-refused'],
    ],
    ['the module alone', 'auth requisite pam_sallyport.so\n', ['ignore-refused']],
    ['twice', `${password}${ours}${ours}${permit}`, ['asked-twice']],
    [
      'in the account phase',
      `${password}${ours}${permit}account required pam_sallyport.so\n`,
      ['wrong-phase'],
    ],
    ['in the session phase alone', `${debian}session optional pam_sallyport.so\n`, ['wrong-phase']],
    ['a missing file', `auth include @/none\n${password}${ours}${permit}`, ['service-refused']],
    ['a missing @include', `@include @/none\n${password}${ours}${permit}`, ['service-refused']],
    ['no phase', `foo bar\n${debian}`, ['service-refused']],
    [
      'a line that only some come by',
      `auth sufficient pam_unix.so\nauth reqired pam_x.so\n`,
      ['line-broken'],
    ],
    [
      'what only root gets past',
      `auth sufficient pam_rootok.so\nauth include @/none\n${debian}`,
      ['service-refused'],
    ],
    ['an account part that is gone', `${debian}account include @/none\n`, ['service-refused']],
    ['a session part that is gone', `${debian}session include @/none\n`, ['service-refused']],
    ['a password part that is gone', `${debian}password include @/none\n`, []],
    ['a module that is missing', `auth required pam_not_there.so\n${debian}`, ['service-refused']],
    ['one of account that is missing', `${debian}account requisite pam_not_there.so\n`, ['service-refused']],
    ['a quiet one that is missing', `-auth required pam_not_there.so\n${debian}`, ['service-refused']],
    ['an optional one that is missing', `-auth optional pam_not_there.so\n${debian}`, []],
    ['one that is missing, and another that will do', `auth sufficient pam_not_there.so\n${debian}`, []],
    [
      'a module of a path that is missing',
      `auth required /nowhere/pam_unix.so\n${debian}`,
      ['service-refused'],
    ],
    ['pam_deny', 'auth required pam_deny.so\n', []],
    ['a directory', `@include @/directory\n${debian}`, ['line-empty']],
  ];
  stacks.write('fedora', fedora);
  mkdirSync(join(stacks.directory, 'directory'));
  for (const [name, text, expected] of cases) it(`${name}`, () => assert.deepEqual(codes(text), expected));

  it('are reported with the responsible line', () => {
    stacks.write('service', `auth include @/fedora\n${ours}${permit}`);
    const found = checkService(stacks.files, 'service').find(({ code }) => code === 'skipped');
    assert.deepEqual(found?.place, { file: `${stacks.directory}/fedora`, line: 2 });
  });
});
