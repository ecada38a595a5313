import assert from 'node:assert/strict';
import { test } from 'node:test';
import { examine } from '../../../../cli/doctor/examine.ts';
import { FakeMachine } from '../../../support/doctor-machine.ts';
import { fc } from '../../../support/property.ts';

const programs = ['getent', 'sshd', 'timedatectl', 'chronyc', 'ss ', 'git'];
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string().map((words) => `Match User ${words}\nroot:${words}\nauth ${words}\n`),
);

test('for any output of programs and content of files no check fails, and none reports unread parts as passed', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.dictionary(fc.constantFrom(...programs), fc.tuple(fc.integer({ min: 0, max: 3 }), text)),
      fc.dictionary(
        fc.constantFrom(
          '/etc/shadow',
          '/etc/ssh/sshd_config',
          '/etc/sallyport/portal.crt',
          '/etc/sallyport/portal.key',
        ),
        text,
      ),
      fc.dictionary(fc.constantFrom('sshd', 'sudo', 'login', 'common-auth'), text),
      text,
      async (printed, held, stacks, passwd) => {
        const machine = new FakeMachine();
        for (const [program, [status, stdout]] of Object.entries(printed))
          machine.commands[program] = { status, stdout };
        for (const [path, content] of Object.entries(held)) machine.change(path, {}, content);
        machine.stacks = { ...machine.stacks, ...stacks };
        machine.passwd = passwd;
        const examined = await examine(machine);
        for (const { check, findings } of examined) {
          const ids = findings.map((one) => (one.severity === 'ok' ? 'ok' : one.id));
          assert.ok(
            !ids.includes('check-failed'),
            `${check}: ${findings.map(({ summary }) => summary).join('; ')}`,
          );
          assert.ok(findings.length > 0, `${check} says nothing`);
          assert.ok(!(ids.includes('ok') && ids.includes('not-checked')), check);
        }
      },
    ),
    { numRuns: 100 },
  );
});
