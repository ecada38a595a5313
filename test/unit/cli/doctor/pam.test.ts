import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { examine } from '../../../../cli/doctor/examine.ts';
import { FakeMachine } from '../../../support/doctor-machine.ts';
import { olderWayIn } from '../../../support/pam-stacks.ts';

describe('a service that libpam refuses is found, though no service is protected', () => {
  const cases: Readonly<Record<string, string>> = {
    'an include that is gone': '@include common-auth\n',
    'an account part that is gone': 'auth required pam_unix.so\naccount include system-auth\n',
    'a word that libpam does not know': 'auth reqired pam_unix.so\n',
    'a module that is not installed': 'auth required pam_gone.so\n',
    'an include of itself': '@include cron\n',
  };
  for (const [name, text] of Object.entries(cases))
    for (const others of ['protected', 'not protected'])
      test(`${name}, the other services ${others}`, async () => {
        const machine = new FakeMachine();
        if (others === 'not protected') machine.stacks = { sshd: 'auth required pam_unix.so\n' };
        machine.stacks.cron = text;
        machine.missingModules.add('pam_gone.so');
        const findings = (await examine(machine)).flatMap((one) => one.findings);
        const [first] = findings.filter((one) => one.severity !== 'ok' && one.id.startsWith('pam.'));
        assert.ok(first?.severity === 'error' && first.id === 'pam.service-refused', JSON.stringify(first));
        assert.match(first.summary, /^cron \(\/etc\/pam\.d\/cron:\d\): /);
        assert.equal(first.fix, 'sallyport pam show cron');
      });
});

test('a line for the console in a shared file is one finding, with every service except login', async () => {
  const machine = new FakeMachine();
  machine.stacks['common-auth'] = `auth requisite pam_unix.so\n${olderWayIn}auth required pam_permit.so\n`;
  for (const service of ['login', 'su', 'sudo']) machine.stacks[service] = '@include common-auth\n';
  const findings = (await examine(machine)).flatMap((one) => one.findings);
  const around = findings.filter((one) => one.severity !== 'ok' && one.id === 'root.way-around');
  assert.equal(around.length, 1);
  assert.match(around[0]?.summary ?? '', /^su, sudo \(\/etc\/pam\.d\/common-auth:\d+\)/);
  assert.equal(around[0]?.severity === 'error' && around[0].fix, 'pam-auth-update --package');
  machine.stacks['common-auth'] = (machine.stacks['common-auth'] ?? '').replace(
    'quiet',
    'quiet service = login',
  );
  const later = (await examine(machine)).flatMap((one) => one.findings);
  assert.ok(!later.some((one) => one.severity !== 'ok' && one.id.startsWith('root.')));
});
