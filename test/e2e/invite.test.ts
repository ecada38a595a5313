import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { base32, newSecret, totp } from '../support/codes.ts';
import { run } from '../support/rig/commands.ts';
import { inNamespace } from '../support/rig/namespace.ts';
import { addPerson, as, type Person, password } from '../support/rig/people.ts';
import { openPortal, portalLog, portalOrigin, portalTables, ServerContext } from '../support/rig/portal.ts';
import { prepare, scenario } from '../support/rig/scenario.ts';
import { authorizeKey, makeSshKeys, ssh, startSshd } from '../support/rig/ssh.ts';
import { useSnippet } from '../support/rig/stack.ts';
import { Terminal } from '../support/rig/terminal.ts';

/** Links created by the command line, opened in a real browser, and the logins that follow. */
const realms = `
${portalTables}
[[realm]]
name = "strict"
members = { users = ["alice", "bob"] }
require = "totp"
enrol = "refuse"

[[realm]]
name = "rest"
require = "none"
`;
const port = 2230;

await inNamespace(import.meta.filename, async () => {
  const product = await prepare(realms);
  useSnippet('sshd', 'sallyport-sshd');
  makeSshKeys();
  await startSshd(port, 'sallyport-password-code.conf');
  const browser = await openPortal(product);

  const by = (person: Person, words: readonly string[], ...typed: readonly string[]) => {
    const [program = '', ...argv] = [...as(person), process.execPath, ...product.commandForPeople(words)];
    return run(program, argv, { input: typed.map((line) => `${line}\n`).join('') });
  };
  const invite = async (...words: readonly string[]): Promise<string> => {
    const { invited } = (await product.json(['invite', ...words])) as { invited: { url: string }[] };
    return invited[0]?.url ?? '';
  };
  const follow = async (page: Page, link: string, user: string): Promise<void> => {
    await page.goto(link);
    await page.getByLabel('Account name').fill(user);
    await page.getByRole('button', { name: 'Continue' }).click();
  };
  const isIn = (page: Page) => page.getByRole('heading', { name: 'My second factors' }).waitFor();
  const addTotp = async (page: Page, secret: Buffer): Promise<void> => {
    await page.getByRole('button', { name: 'Add', exact: true }).first().click();
    await page.getByRole('menuitem', { name: 'TOTP' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('textbox', { name: 'Name', exact: true }).fill('phone');
    await dialog.getByRole('textbox', { name: 'Secret' }).fill(base32(secret));
    await dialog.getByLabel('Verification code').fill(totp(secret));
    await dialog.getByRole('button', { name: 'Add', exact: true }).click();
    await page.getByRole('button', { name: 'Not now' }).click();
    await page.getByText('phone').first().waitFor();
  };
  /** With the code of the next period: that of the enrolment is used. */
  const logIn = async (user: string, secret: Buffer): Promise<void> => {
    const terminal = new Terminal(ssh(user, { port }, ['echo "in-$(id -un)"']));
    await terminal.answer(/Password: /, password);
    await terminal.answer(/code: |key: /i, totp(secret, { step: 1 }));
    await terminal.expect(new RegExp(`in-${user}`));
    assert.equal(await terminal.ended(), 0);
  };

  scenario(
    product,
    'an invite with the password leads to a first factor where the realm allows no other enrolment',
    async () => {
      const alice = addPerson('alice');
      const alone = await by(alice, ['factor', 'add', 'recovery', 'alice'], password);
      assert.equal(alone.status, 77, alone.stderr);
      const link = await invite('alice');
      assert.match(link, new RegExp(`^${portalOrigin}/invite#`));
      const desk = await ServerContext.open(browser);
      const { page } = desk;
      await follow(page, link, 'alice');
      await page.getByLabel('Password').fill(password);
      assert.equal(new URL(page.url()).pathname, '/invite');
      await page.getByRole('button', { name: 'Sign in' }).click();
      await isIn(page);
      const secret = newSecret();
      await addTotp(page, secret);
      await logIn('alice', secret);
      await desk.close();

      const later = await ServerContext.open(browser);
      await follow(later.page, link, 'alice');
      await later.page.getByText(/This link is invalid, used or expired/).waitFor();
      await later.close();
      assert.doesNotMatch(`${product.log()}${portalLog()}`, new RegExp(`${password}|invite[/#]\\w`));
    },
  );

  scenario(
    product,
    'an invite without the password asks for none; an invalid link is reported as such',
    async () => {
      const bob = addPerson('bob');
      const none = await ServerContext.open(browser);
      await follow(none.page, `${portalOrigin}/invite#Ym9i.${'x'.repeat(22)}`, 'bob');
      await none.page.getByText(/This link is invalid, used or expired/).waitFor();
      const link = await invite('bob', '--without-password');
      await follow(none.page, link, 'bob');
      await isIn(none.page);
      const secret = newSecret();
      await addTotp(none.page, secret);
      await logIn('bob', secret);
      await none.close();
      const again = await by(bob, ['factor', 'add', 'recovery', 'bob', '--link'], link);
      assert.equal(again.status, 77, again.stderr);
      assert.match(again.stderr, /invalid, used or expired/);
    },
  );

  scenario(
    product,
    'an account without a password uses links of its own user, in browser and terminal',
    async () => {
      const carol = addPerson('carol');
      writeFileSync('/etc/shadow', readFileSync('/etc/shadow', 'utf8').replace(/^carol:[^:]*:/m, 'carol:*:'));
      authorizeKey(carol);
      const linkOf = async (...typed: readonly string[]) => {
        const made = await by(carol, ['portal', 'link'], ...typed);
        assert.equal(made.status, 0, made.stderr);
        return made.stdout.trim();
      };
      const link = await linkOf();
      const desk = await ServerContext.open(browser);
      await follow(desk.page, link, 'carol');
      await isIn(desk.page);
      await follow((await ServerContext.open(browser)).page, link, 'carol');
      const words = ['factor', 'add', 'recovery', 'carol', '--link'];
      const spent = await by(carol, words, link);
      assert.equal(spent.status, 77, spent.stderr);
      const added = await by(carol, words, await linkOf());
      assert.equal(added.status, 0, added.stderr);
      const keys = added.stdout.trim().split('\n');
      assert.equal(keys.length, 10);
      // From now on the link needs a factor, both to create and to use.
      const secret = newSecret();
      const second = await by(
        carol,
        ['factor', 'add', 'totp', 'carol', '--secret', '-', '--link'],
        await linkOf(keys[0] ?? ''),
        keys[1] ?? '',
        base32(secret),
        totp(secret),
      );
      assert.equal(second.status, 0, second.stderr);
      await desk.close();
    },
  );
});
