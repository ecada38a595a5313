import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { base32, newSecret, totp } from '../support/codes.ts';
import { run } from '../support/rig/commands.ts';
import { inNamespace } from '../support/rig/namespace.ts';
import { addGroup, addPerson, as, type Person, password } from '../support/rig/people.ts';
import { prepare, scenario } from '../support/rig/scenario.ts';

/** Users without root, with the real helper and accounts of a separate machine. */
const realms = `
[[realm]]
name = "strict"
members = { users = ["sven"] }
require = "any"

[[realm]]
name = "graceful"
members = { users = ["greta"] }
require = "totp"
enrol = "grace"
grace = "14d"

[[realm]]
name = "rest"
require = "none"
`;

await inNamespace(import.meta.filename, async () => {
  const product = await prepare(realms);
  /** The command run as that user, with the typed input, one line each. */
  const by = (person: Person, words: readonly string[], ...typed: readonly string[]) => {
    const [program = '', ...argv] = [...as(person), process.execPath, ...product.commandForPeople(words)];
    return run(program, argv, { input: typed.map((line) => `${line}\n`).join('') });
  };
  const kindsOf = async (user: string) => {
    const { factors } = (await product.json(['user', 'show', user])) as { factors: { kind: string }[] };
    return factors.map(({ kind }) => kind);
  };

  scenario(product, 'the first factor needs the password, the second one password and factor', async () => {
    const alice = addPerson('alice');
    const first = await by(alice, ['factor', 'add', 'recovery', 'alice'], password);
    assert.equal(first.status, 0, first.stderr);
    const keys = first.stdout.trim().split('\n');
    assert.equal(keys.length, 10);
    const secret = newSecret();
    const add = ['factor', 'add', 'totp', 'alice', '--secret', '-'];
    const alone = await by(alice, add, password);
    assert.equal(alone.status, 2, alone.stderr);
    const wrong = await by(alice, add, password, 'aaaaa-bbbbb-ccccc-ddddd');
    assert.equal(wrong.status, 77, wrong.stderr);
    assert.deepEqual(await kindsOf('alice'), ['recovery']);
    const both = await by(alice, add, password, keys[0] ?? '', base32(secret), totp(secret));
    assert.equal(both.status, 0, both.stderr);
    assert.deepEqual(await kindsOf('alice'), ['recovery', 'totp']);
    assert.doesNotMatch(product.log(), new RegExp(`${password}|${keys[0] ?? ''}`));
  });

  scenario(
    product,
    'a wrong password, another account, and the same text for names without an account',
    async () => {
      const bob = addPerson('bob');
      addPerson('carol');
      const wrong = await by(bob, ['factor', 'add', 'recovery', 'bob'], 'wrong');
      assert.equal(wrong.status, 77);
      assert.match(wrong.stderr, /Incorrect account name or password/);
      const other = await by(bob, ['factor', 'add', 'recovery', 'carol'], password);
      assert.equal(other.status, 77);
      assert.match(other.stderr, /permission denied/);
      assert.deepEqual(await kindsOf('carol'), []);
      assert.equal((await product.events('bob')).at(-1)?.reason, 'password-wrong');
    },
  );

  scenario(
    product,
    'if the realm requires a factor and refuses enrolment, an administrator must add the first one',
    async () => {
      const sven = addPerson('sven');
      const refused = await by(sven, ['factor', 'add', 'recovery', 'sven'], password);
      assert.equal(refused.status, 77);
      assert.match(refused.stderr, /Ask your administrator to add one/);
      const greta = addPerson('greta');
      const allowed = await by(greta, ['factor', 'add', 'recovery', 'greta'], password);
      assert.equal(allowed.status, 0, allowed.stderr);
    },
  );

  scenario(product, 'users cannot remove their last factor if the realm requires one', async () => {
    const person = personNamed('greta');
    const secret = await product.addTotp('greta');
    const list = (await product.json(['factor', 'list', 'greta'])) as {
      factors: { id: string; kind: string }[];
    };
    const paper = list.factors.find(({ kind }) => kind === 'recovery')?.id ?? '';
    const phone = list.factors.find(({ kind }) => kind === 'totp')?.id ?? '';
    await product.must(['factor', 'remove', 'greta', paper, '--yes']);
    const refused = await by(person, ['factor', 'remove', 'greta', phone, '--yes'], password, totp(secret));
    assert.equal(refused.status, 1, refused.stderr);
    assert.match(refused.stderr, /could not log in without it/);
    assert.deepEqual(await kindsOf('greta'), ['totp']);
  });

  scenario(
    product,
    'an administrator without root has the permissions of the table, with an access token',
    async () => {
      const admin = addPerson('dora');
      addPerson('emil');
      addGroup('sallyport-admin', 4800, ['dora']);
      const unlock = await by(admin, ['user', 'unlock', 'emil'], password);
      assert.equal(unlock.status, 0, unlock.stderr);
      const root = await by(admin, ['user', 'unlock', 'root'], password);
      assert.equal(root.status, 77);
      const seen = await by(admin, ['user', 'list']);
      assert.equal(seen.status, 0, seen.stderr);
      for (const words of [
        ['factor', 'add', 'bypass'],
        ['user', 'exempt', '--for', '1h'],
      ]) {
        const about = (name: string) => by(admin, [...words, name], password);
        for (const name of ['dora', 'root']) {
          const denied = await about(name);
          assert.equal(denied.status, 77, `${words.join(' ')} ${name}: ${denied.stderr}`);
        }
        const allowed = await about('emil');
        assert.equal(allowed.status, 0, allowed.stderr);
        const own = await by(personNamed('emil'), [...words, 'emil'], password);
        assert.equal(own.status, 77, own.stderr);
      }
      await product.must(['user', 'exempt', 'emil', '--clear']);
      const given = (await product.events('emil')).find(({ reason }) => reason === 'issued');
      assert.equal(given?.actor, `uid:${admin.uid}`);
    },
  );

  scenario(product, 'a bypass code counts as the factor when a user adds a new one', async () => {
    const lost = addPerson('gina');
    await product.addTotp('gina');
    const code = (await product.must(['factor', 'add', 'bypass', 'gina'])).trim();
    const added = await by(lost, ['factor', 'add', 'recovery', 'gina'], password, code);
    assert.equal(added.status, 0, added.stderr);
    assert.deepEqual((await kindsOf('gina')).toSorted(), ['recovery', 'totp']);
    const again = await by(lost, ['factor', 'rename', 'gina', 'TOTP', 'old'], password, code);
    assert.equal(again.status, 77, again.stderr);
  });

  scenario(product, 'a sign-in link for one’s own uid asks for the existing factor', async () => {
    const fred = addPerson('fred');
    const withPassword = await by(fred, ['portal', 'link']);
    assert.equal(withPassword.status, 77, withPassword.stdout);
    assert.match(withPassword.stderr, /this account has a password.*invite USER --without-password/);
    writeFileSync('/etc/shadow', readFileSync('/etc/shadow', 'utf8').replace(/^fred:[^:]*:/m, 'fred:!:'));
    const link = await by(fred, ['portal', 'link']);
    assert.equal(link.status, 0, link.stderr);
    assert.match(link.stdout, /^[\w-]{22}\n$/);
    const secret = await product.addTotp('fred');
    const without = await by(fred, ['portal', 'link']);
    assert.notEqual(without.status, 0);
    const withFactor = await by(fred, ['portal', 'link'], totp(secret));
    assert.equal(withFactor.status, 0, withFactor.stderr);
  });

  function personNamed(name: string): Person {
    const line = readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .find((each) => each.startsWith(`${name}:`));
    const [, , uid = '', , , home = ''] = line?.split(':') ?? [];
    return { name, uid: Number(uid), home };
  }
});
