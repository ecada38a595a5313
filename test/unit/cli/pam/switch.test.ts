import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { checkService } from '../../../../cli/pam/check.ts';
import type { Plan } from '../../../../cli/pam/plan.ts';
import { planDisable } from '../../../../cli/pam/plan-disable.ts';
import type { FileChange, Recorded } from '../../../../cli/pam/record.ts';
import { planProgram } from '../../../../cli/pam/service-aliases.ts';
import { distribution, memoryFiles, olderWayIn } from '../../../support/pam-stacks.ts';

/** From one ready stack to another, in one change. */

type Texts = Readonly<Record<string, string>>;

const directory = mkdtempSync(join(tmpdir(), 'sallyport-switch-'));
after(() => rmSync(directory, { recursive: true }));

const nameOf = (path: string) => path.replace('/etc/pam.d/', '');

function applied(texts: Texts, changes: readonly FileChange[]): Texts {
  const result = new Map(Object.entries(texts));
  for (const { path, before, after: text } of changes) {
    assert.equal(result.get(nameOf(path)), before, path);
    if (text === undefined) result.delete(nameOf(path));
    else result.set(nameOf(path), text);
  }
  return Object.fromEntries(result);
}

/** The newest first, as the command keeps them. */
function recorded(past: readonly Recorded[], { service, services, files }: Plan): readonly Recorded[] {
  const place = mkdtempSync(join(directory, 'record-'));
  for (const [index, { before, after: text }] of files.entries()) {
    if (before !== undefined) writeFileSync(join(place, `${index}.before`), before, 'latin1');
    if (text !== undefined) writeFileSync(join(place, `${index}.after`), text, 'latin1');
  }
  const at = past.length;
  return [{ id: `${at}`, action: 'enable', service, services, at, files, directory: place }, ...past];
}

const dropInOf = {
  'sallyport-sshd': 'password-code',
  'sallyport-sshd-key': 'key-code',
  'sallyport-one-prompt': 'one-prompt',
};
const pathOf = (stack: keyof typeof dropInOf) =>
  `/etc/ssh/sshd_config.d/00-sallyport-${dropInOf[stack]}.conf`;
const ways = Object.keys(dropInOf) as (keyof typeof dropInOf)[];
const pairs = ways.flatMap((from) => ways.filter((to) => to !== from).map((to) => [from, to] as const));
const errors = (texts: Texts, service: string) =>
  checkService(memoryFiles(texts), service).filter(({ level }) => level === 'error');

for (const name of ['debian-12', 'debian-13', 'fedora'])
  describe(`with the files of ${name}`, () => {
    const before = distribution(name);
    // If other sources than pam_unix are used, the one-prompt stack is written by hand.
    for (const [from, to] of pairs.filter(
      (pair) => name !== 'fedora' || !pair.includes('sallyport-one-prompt'),
    ))
      it(`sshd changes from ${from} to ${to} in one change, and back to the original`, () => {
        const first = planProgram(memoryFiles(before), 'sshd', from);
        let past = recorded([], first);
        const one = applied(before, first.files);
        const second = planProgram(memoryFiles(one), 'sshd', to, past);
        assert.equal(second.from, from);
        past = recorded(past, second);
        const two = applied(one, second.files);
        // What the second method would have created: nothing of the first is left.
        assert.deepEqual(two, applied(before, planProgram(memoryFiles(before), 'sshd', to).files));
        assert.deepEqual(errors(two, 'sshd'), []);
        assert.ok(pathOf(to) in two && !(pathOf(from) in two));
        const swap = second.files.find(({ path }) => path === '/etc/pam.d/sshd')?.swap;
        assert.ok(swap?.ours.includes(to) && swap.original.endsWith(from), JSON.stringify(swap));
        assert.deepEqual(applied(two, planDisable(memoryFiles(two), 'sshd', past)), before);
        // There and back again.
        const third = planProgram(memoryFiles(two), 'sshd', from, past);
        const three = applied(two, third.files);
        assert.deepEqual(three, one);
        const all = recorded(past, third);
        assert.deepEqual(applied(three, planDisable(memoryFiles(three), 'sshd', all)), before);
      });

    it('other services change from one stack to another too', () => {
      const first = planProgram(memoryFiles(before), 'sudo', 'sallyport-sudo');
      const one = applied(before, first.files);
      const past = recorded([], first);
      const second = planProgram(memoryFiles(one), 'sudo', 'sallyport-su', past);
      const two = applied(one, second.files);
      assert.deepEqual(errors(two, 'sudo'), []);
      assert.ok(!('sallyport-sudo' in two));
    });
  });

describe('obstacles', () => {
  const before = distribution('debian-12');
  const including = (target: string) =>
    (before.sshd ?? '').replace(/^@include common-auth$/m, `@include ${target}`);

  it('drop-ins of both methods: the other one is removed, and nothing else', () => {
    const first = applied(before, planProgram(memoryFiles(before), 'sshd', 'sallyport-sshd').files);
    const half = {
      ...first,
      [pathOf('sallyport-sshd-key')]: 'AuthenticationMethods publickey,keyboard-interactive:pam\n',
    };
    const plan = planProgram(memoryFiles(half), 'sshd', 'sallyport-sshd');
    assert.deepEqual(
      plan.files.map(({ path, after: text }) => [path, text]),
      [[pathOf('sallyport-sshd-key'), undefined]],
    );
    assert.deepEqual(applied(half, plan.files), first);
  });

  it('a shared file that asks for the password is replaced with a password, and removed with a key', () => {
    const profile = `auth requisite pam_unix.so\n${olderWayIn}auth required pam_permit.so\n`;
    const shared = { ...before, 'common-auth': profile.replace('quiet', 'quiet service = login') };
    const password = planProgram(memoryFiles(shared), 'sshd', 'sallyport-sshd');
    assert.deepEqual(
      password.files.map(({ path }) => path),
      [pathOf('sallyport-sshd')],
    );
    const key = applied(shared, planProgram(memoryFiles(shared), 'sshd', 'sallyport-sshd-key').files);
    assert.match(key.sshd ?? '', /^@include sallyport-sshd-key$/m);
    assert.deepEqual(errors(key, 'sshd'), []);
  });

  it('a stack written by an administrator is replaced, kept, and restored', () => {
    const mine = 'auth requisite pam_unix.so\nauth requisite pam_sallyport.so\nauth required pam_permit.so\n';
    const own = { ...before, sshd: including('sallyport-mine'), 'sallyport-mine': mine };
    const plan = planProgram(memoryFiles(own), 'sshd', 'sallyport-sshd-key');
    const key = applied(own, plan.files);
    assert.equal(key['sallyport-mine'], mine);
    assert.deepEqual(errors(key, 'sshd'), []);
    assert.deepEqual(applied(key, planDisable(memoryFiles(key), 'sshd', recorded([], plan))), own);
  });

  it('a stack without a record goes back to what the other phases name', () => {
    const first = applied(before, planProgram(memoryFiles(before), 'sshd', 'sallyport-sshd').files);
    const two = applied(first, planProgram(memoryFiles(first), 'sshd', 'sallyport-sshd-key').files);
    assert.equal(two.sshd, including('sallyport-sshd-key'));
    assert.ok(!('sallyport-sshd' in two));
  });
});
