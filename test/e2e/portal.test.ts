import assert from 'node:assert/strict';
import { totp } from '../support/codes.ts';
import { openSessionFromAfar, sudoFromAfar } from '../support/rig/local-session.ts';
import { inNamespace } from '../support/rig/namespace.ts';
import { addPerson, allowSudo, type Person, password } from '../support/rig/people.ts';
import {
  approvalOn,
  approve,
  openPortal,
  portalLog,
  portalOrigin,
  portalTables,
  ServerContext,
} from '../support/rig/portal.ts';
import { prepare, scenario } from '../support/rig/scenario.ts';
import { makeSshKeys, ssh, startSshd } from '../support/rig/ssh.ts';
import { useSnippet } from '../support/rig/stack.ts';
import { Terminal } from '../support/rig/terminal.ts';

/** The portal, the daemon, a real browser, a real sshd and a real sudo. */
const realms = `
${portalTables}
[[realm]]
name = "staff"
members = { uids = ["3000-3999"] }
require = "none"

[[realm]]
name = "rest"
require = "none"
`;
const port = 2210;

await inNamespace(import.meta.filename, async () => {
  const product = await prepare(realms);
  useSnippet('sshd', 'sallyport-sshd');
  useSnippet('sudo', 'sallyport-sudo');
  allowSudo();
  makeSshKeys();
  await startSshd(port, 'sallyport-password-code.conf');
  openSessionFromAfar();
  const browser = await openPortal(product);

  const connect = (user: string): Terminal => new Terminal(ssh(user, { port }, ['echo "in-$(id -un)"']));
  /** With a key of the browser. */
  const enrolledPerson = async (user: string): Promise<{ desk: ServerContext; person: Person }> => {
    const person = addPerson(user);
    const desk = await ServerContext.open(browser);
    await desk.signIn(user);
    await desk.addKey('blue');
    return { desk, person };
  };
  const enrolled = async (user: string): Promise<ServerContext> => (await enrolledPerson(user)).desk;

  scenario(product, 'a login over ssh, from the prompt to the shell', async () => {
    const desk = await enrolled('alice');
    const terminal = connect('alice');
    await terminal.answer(/Password: /, password);
    const { link, number } = await approvalOn(terminal);
    await terminal.expect(/Press Enter once it is approved: /);
    await desk.page.goto(link);
    await desk.page.getByText(number, { exact: true }).waitFor();
    await desk.page.getByText('alice').first().waitFor();
    await desk.page.getByRole('button', { name: 'Approve with security key' }).click();
    await desk.page.getByText(/Approved/).waitFor();
    terminal.send('\r');
    await terminal.expect(/in-alice/);
    assert.equal(await terminal.ended(), 0);
    const last = (await product.events('alice')).at(-1);
    assert.deepEqual([last?.outcome, last?.factor?.kind], ['success', 'webauthn']);
    // The link has ended by now.
    await desk.page.goto(link);
    await desk.page
      .getByText(/no longer waits|expired/i)
      .first()
      .waitFor();
    assert.doesNotMatch(`${product.log()}${portalLog()}`, new RegExp(`${password}|approve[/#]\\w{16}`));
    await desk.close();
  });

  scenario(product, 'in sudo over ssh the login continues by itself after the approval', async () => {
    const { desk, person } = await enrolledPerson('bob');
    const terminal = await sudoFromAfar(person);
    const { link } = await approvalOn(terminal);
    await terminal.expect(/Waiting for your approval: /);
    await approve(desk, link);
    await terminal.expect(/in-root/);
    assert.equal(await terminal.ended(), 0);
    await desk.close();
  });

  scenario(product, 'a denial ends the login, and is audited', async () => {
    const desk = await enrolled('carol');
    const terminal = connect('carol');
    await terminal.answer(/Password: /, password);
    const { link } = await approvalOn(terminal);
    await terminal.expect(/Press Enter/);
    await desk.page.goto(link);
    await desk.page.getByRole('button', { name: 'Deny' }).click();
    await desk.page.getByText(/Denied/).waitFor();
    terminal.send('\r');
    await terminal.expect(/denied/i);
    await terminal.hangUp();
    const events = await product.events('carol');
    assert.ok(events.some(({ outcome, reason }) => outcome === 'refused' && reason === 'denied'));
    await desk.close();
  });

  scenario(
    product,
    "the user's own page is notified, the number must be typed, and one wrong number ends the login",
    async () => {
      const desk = await enrolled('dora');
      await desk.page.goto(portalOrigin);
      await desk.page.getByRole('heading', { name: 'My second factors' }).waitFor();
      for (const isRight of [true, false]) {
        const terminal = connect('dora');
        await terminal.answer(/Password: /, password);
        const { number } = await approvalOn(terminal);
        await terminal.expect(/Press Enter/);
        await desk.page.getByRole('button', { name: 'Review' }).click();
        const dialog = desk.page.getByRole('dialog');
        await dialog.getByLabel('Number at the prompt').fill(isRight ? number : String(109 - Number(number)));
        await dialog.getByRole('button', { name: 'Approve with security key' }).click();
        await dialog.getByText(isRight ? /Approved/ : /Wrong number/).waitFor();
        await dialog.getByRole('button', { name: 'Close' }).click();
        terminal.send('\r');
        await terminal.expect(isRight ? /in-dora/ : /denied/i);
        await terminal.hangUp();
      }
      await desk.close();
    },
  );

  scenario(product, 'another account’s key approves nothing', async () => {
    const [emil, fred] = [await enrolled('emil'), await enrolled('fred')];
    const terminal = connect('emil');
    await terminal.answer(/Password: /, password);
    const { link } = await approvalOn(terminal);
    await approve(fred, link);
    await fred.page.getByRole('alert').first().waitFor();
    const secret = await product.addTotp('emil');
    await terminal.hangUp();
    const typing = connect('emil');
    await typing.answer(/Password: /, password);
    await typing.answer(/or type a verification code: /, totp(secret));
    await typing.expect(/in-emil/);
    await Promise.all([emil.close(), fred.close()]);
  });

  scenario(product, 'signing in with the key that was added in the browser', async () => {
    const desk = await enrolled('gina');
    await desk.page.goto(portalOrigin);
    await desk.page.getByRole('button', { name: 'gina' }).click();
    await desk.page.getByRole('menuitem', { name: 'Sign out' }).click();
    await desk.page.getByLabel('Account name').fill('gina');
    await desk.page.getByLabel('Password').fill(password);
    await desk.page.getByRole('button', { name: 'Sign in' }).click();
    await desk.page.getByRole('button', { name: /security key/i }).click();
    await desk.page.getByRole('heading', { name: 'My second factors' }).waitFor();
    await desk.close();
  });
});
