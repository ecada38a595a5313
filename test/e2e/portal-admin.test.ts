import assert from 'node:assert/strict';
import { totp } from '../support/codes.ts';
import { choose } from '../support/portal-browser.ts';
import { inNamespace } from '../support/rig/namespace.ts';
import { addGroup, addPerson, password } from '../support/rig/people.ts';
import { openPortal, portalOrigin, portalTables, ServerContext } from '../support/rig/portal.ts';
import { prepare, scenario } from '../support/rig/scenario.ts';
import { makeSshKeys, ssh, startSshd } from '../support/rig/ssh.ts';
import { useSnippet } from '../support/rig/stack.ts';
import { Terminal } from '../support/rig/terminal.ts';

/** What the pages do with a real daemon, and what the daemon denies to users who are not administrators. */
const realms = `
${portalTables}
[[realm]]
name = "rest"
require = "none"
`;
const port = 2212;

await inNamespace(import.meta.filename, async () => {
  const product = await prepare(realms);
  useSnippet('sshd', 'sallyport-sshd');
  makeSshKeys();
  await startSshd(port, 'sallyport-password-code.conf');
  // A code is accepted once: each scenario has its own operator, whose current code is unused.
  const operators = ['operator', 'operator-2', 'operator-3'].map((name) => addPerson(name).name);
  addGroup('sallyport-admin', 4900, operators);
  const secrets = new Map<string, Buffer>();
  for (const name of operators) secrets.set(name, await product.addTotp(name));
  const browser = await openPortal(product);

  const asOperator = async (): Promise<ServerContext> => {
    const name = operators.shift() ?? '';
    const desk = await ServerContext.open(browser);
    await desk.signIn(name, totp(secrets.get(name) ?? Buffer.alloc(0)));
    return desk;
  };
  const statusOf = (desk: ServerContext, path: string): Promise<number> =>
    desk.page.evaluate(`fetch(${JSON.stringify(path)}).then(({ status }) => status)`);

  scenario(product, 'the user guide, word for word, followed by a login over ssh', async () => {
    addPerson('alice');
    const desk = await ServerContext.open(browser);
    await desk.signIn('alice');
    const { page } = desk;
    await page.getByRole('button', { name: 'alice' }).click();
    await page.getByRole('menuitem', { name: 'TFA' }).click();
    await choose(page, 'Add', 'TOTP');
    const dialog = page.getByRole('dialog');
    const first = await dialog.getByLabel('Secret', { exact: true }).inputValue();
    await dialog.getByRole('button', { name: 'Randomize' }).click();
    const text = await dialog.getByLabel('Secret', { exact: true }).inputValue();
    assert.notEqual(text, first);
    const secret = bytesOf(text);
    const add = dialog.getByRole('button', { name: 'Add', exact: true });
    await dialog.getByLabel('Password').fill('wrong');
    await dialog.getByLabel('Name', { exact: true }).fill('pixel-7 authy');
    await dialog.getByRole('img', { name: 'QR code for alice' }).waitFor();
    const code = dialog.getByLabel('Verification code');
    await code.fill(totp(secret));
    await add.click();
    await dialog.getByRole('alert').first().waitFor();
    assert.equal(await product.must(['factor', 'list', 'alice']), '');
    await dialog.getByLabel('Password').fill(password);
    // As a user does: the code that the app shows by now. The first one may be too old on a slow machine.
    await code.fill(totp(secret));
    await add.click();
    await page.getByText('“pixel-7 authy” was added.').waitFor();
    await page.getByRole('button', { name: 'Create recovery keys' }).click();
    await page.getByText('Shown only once. Save them now.').waitFor();

    const terminal = new Terminal(ssh('alice', { port }, ['echo "in-$(id -un)"']));
    await terminal.answer(/Password: /, password);
    await terminal.answer(/code/, totp(secret, { step: 1 }));
    await terminal.expect(/in-alice/);
    await desk.close();
  });

  scenario(product, 'an administrator finds an account, unlocks it, and removes a lost factor', async () => {
    addPerson('bob');
    await product.addTotp('bob');
    while ((await product.failures('bob')).codes < 8) {
      const wrong = new Terminal(ssh('bob', { port }, ['true']));
      await wrong.answer(/Password: /, password);
      await wrong.answer(/code: /, '000000');
      await wrong.expect(/Incorrect code[\s\S]*code: |denied|locked|Password: /i);
      await wrong.hangUp();
    }
    const desk = await asOperator();
    const { page } = desk;
    await page.getByRole('link', { name: 'Administration' }).click();
    await page.getByLabel('Search').fill('bo');
    await page.getByRole('link', { name: 'bob', exact: true }).click();
    await page.getByRole('button', { name: 'Unlock' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('button', { name: 'Unlock' }).click();
    await page.getByText('bob was unlocked.').waitFor();
    assert.deepEqual(await product.failures('bob'), { codes: 0, any: 0 });
    await page.getByRole('button', { name: /^Change / }).click();
    await page.getByRole('menuitem', { name: 'Remove' }).click();
    await dialog.getByRole('button', { name: 'Remove' }).click();
    // The last factor is removed only after its administrator has read the consequences.
    await dialog.getByRole('button', { name: 'Remove anyway' }).click();
    await page.getByText(/was removed/).waitFor();
    assert.equal(await product.must(['factor', 'list', 'bob']), '');
    await desk.close();
  });

  scenario(product, 'an administrator cannot change the factors of root', async () => {
    await product.addTotp('root');
    const desk = await asOperator();
    await desk.page.goto(`${portalOrigin}/admin/account?user=root`);
    await desk.page.getByRole('heading', { name: 'root' }).waitFor();
    const user = (await product.json(['user', 'show', 'root'])) as { factors: { id: string }[] };
    const answer = await desk.page.evaluate(
      `fetch('/api/users/root/factors/${user.factors[0]?.id ?? ''}', {
        method: 'DELETE', headers: { 'content-type': 'application/json' },
      }).then(async (answer) => [answer.status, (await answer.json()).error?.code ?? ''].join(' '))`,
    );
    assert.match(String(answer), /^403 /);
    assert.equal(((await product.json(['user', 'show', 'root'])) as typeof user).factors.length, 1);
    await desk.close();
  });

  scenario(product, 'the audit trail shows a login as it happens', async () => {
    addPerson('carol');
    const secret = await product.addTotp('carol');
    const desk = await asOperator();
    await desk.page.goto(`${portalOrigin}/admin/audit`);
    await desk.page.getByRole('cell', { name: 'operator' }).first().waitFor();
    assert.equal(
      await desk.page.getByRole('cell', { name: 'carol' }).count(),
      1,
      'the factor that was added',
    );
    const terminal = new Terminal(ssh('carol', { port }, ['echo in']));
    await terminal.answer(/Password: /, password);
    await terminal.answer(/code/, totp(secret));
    await terminal.expect(/in/);
    await desk.page.getByRole('cell', { name: 'carol' }).nth(1).waitFor();
    await desk.close();
  });

  scenario(product, 'other users get no list, no account, no audit trail and no invite', async () => {
    addPerson('dora');
    const desk = await ServerContext.open(browser);
    await desk.signIn('dora');
    for (const path of ['/api/users', '/api/users/operator', '/api/audit'])
      assert.equal(await statusOf(desk, path), 403, path);
    assert.equal(await statusOf(desk, '/api/users/dora'), 200);
    await desk.close();
  });

  scenario(product, 'the cookie of a session that was signed out is worthless', async () => {
    addPerson('emma');
    const desk = await ServerContext.open(browser);
    await desk.signIn('emma');
    const context = desk.page.context();
    const cookies = await context.cookies();
    assert.equal(await statusOf(desk, '/api/users/emma'), 200);
    await desk.signOut('emma');
    await context.addCookies(cookies);
    assert.equal(await statusOf(desk, '/api/users/emma'), 401);
    await desk.close();
  });

  scenario(product, 'typed input survives a restart of the daemon', async () => {
    addPerson('fay');
    const desk = await ServerContext.open(browser);
    await desk.signIn('fay');
    const { page } = desk;
    await choose(page, 'Add', 'TOTP');
    const dialog = page.getByRole('dialog', { name: 'Add' });
    await dialog.getByLabel('Name', { exact: true }).fill('half written');
    const secret = bytesOf(await dialog.getByLabel('Secret', { exact: true }).inputValue());
    await product.stop();
    await product.start();
    // The access token ended with the daemon, and the page notices it by itself.
    const over = page.getByRole('dialog', { name: 'Your session has ended' });
    await over.waitFor({ timeout: 60_000 });
    await over.getByLabel('Password').fill(password);
    await over.getByRole('button', { name: 'Sign in', exact: true }).click();
    await over.waitFor({ state: 'hidden' });
    assert.equal(await dialog.getByLabel('Name', { exact: true }).inputValue(), 'half written');
    assert.deepEqual(bytesOf(await dialog.getByLabel('Secret', { exact: true }).inputValue()), secret);
    assert.equal(await dialog.getByLabel('Password').inputValue(), '', 'passwords are forgotten');
    await dialog.getByLabel('Password').fill(password);
    await dialog.getByLabel('Verification code').fill(totp(secret));
    await dialog.getByRole('button', { name: 'Add', exact: true }).click();
    await page.getByText('“half written” was added.').waitFor();
    await desk.close();
  });
});

/** RFC 4648, as an authenticator app reads a secret. */
function bytesOf(text: string): Buffer {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const bits = [...text].map((symbol) => alphabet.indexOf(symbol).toString(2).padStart(5, '0')).join('');
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
}
