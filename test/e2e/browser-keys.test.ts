import assert from 'node:assert/strict';
import { until } from '../support/rig/commands.ts';
import { openSessionFromAfar, sudoFromAfar } from '../support/rig/local-session.ts';
import { inNamespace } from '../support/rig/namespace.ts';
import { addPerson, allowSudo, type Person, password } from '../support/rig/people.ts';
import {
  approvalOn,
  approve,
  openPortal,
  portalTables,
  ServerContext,
  type ServerContextOptions,
} from '../support/rig/portal.ts';
import type { Event } from '../support/rig/product.ts';
import { prepare, scenario } from '../support/rig/scenario.ts';
import { makeSshKeys, ssh, startSshd } from '../support/rig/ssh.ts';
import { useSnippet } from '../support/rig/stack.ts';
import { Terminal } from '../support/rig/terminal.ts';

/** Keys of every kind in a real browser, for real logins: only the daemon verifies what they sign. */
const realms = `
${portalTables}
[[realm]]
name = "careful"
members = { uids = ["3500-3599"] }
require = "none"
webauthn = { user_verification = "required" }

[[realm]]
name = "rest"
require = "none"
`;
const port = 2211;

await inNamespace(import.meta.filename, async () => {
  const product = await prepare(realms);
  useSnippet('sshd', 'sallyport-sshd');
  useSnippet('sudo', 'sallyport-sudo');
  allowSudo();
  makeSshKeys();
  await startSshd(port, 'sallyport-password-code.conf');
  openSessionFromAfar();
  const browser = await openPortal(product);

  const enrolled = async (person: Person, options: ServerContextOptions = {}): Promise<ServerContext> => {
    const desk = await ServerContext.open(browser, options);
    await desk.signIn(person.name);
    await desk.addKey('blue');
    return desk;
  };
  const sudo = async (person: Person): Promise<{ terminal: Terminal; link: string }> => {
    const terminal = await sudoFromAfar(person);
    return { terminal, link: (await approvalOn(terminal)).link };
  };
  const letIn = async (terminal: Terminal): Promise<void> => {
    await terminal.expect(/in-root/);
    assert.equal(await terminal.ended(), 0);
  };
  const successes = (events: readonly Event[]) =>
    events.filter(({ kind, outcome }) => kind === 'login' && outcome === 'success').length;

  for (const [name, algorithm] of [
    ['es256', -7],
    ['eddsa', -8],
    ['rs256', -257],
  ] as const)
    scenario(product, `${name}: is registered, signs in, and approves a login`, async () => {
      const person = addPerson(name);
      const desk = await enrolled(person, { algorithm });
      const shown = await product.must(['factor', 'list', name]);
      assert.match(shown, new RegExp(name, 'i'));
      await desk.signOut(name);
      await desk.signInByKey(name);
      const { terminal, link } = await sudo(person);
      await approve(desk, link);
      await letIn(terminal);
      await desk.close();
    });

  scenario(
    product,
    'a realm that requires user verification accepts a passkey, and no mere touch',
    async () => {
      const [able, unable] = [addPerson('paula', 3501), addPerson('quinn', 3502)];
      const passkey = await enrolled(able, { kind: 'internal' });
      await passkey.signOut('paula');
      await passkey.signInByKey('paula');
      const { terminal, link } = await sudo(able);
      await approve(passkey, link);
      await letIn(terminal);
      await passkey.close();

      const touch = await ServerContext.open(browser);
      await touch.signIn('quinn');
      await touch.page.getByRole('button', { name: 'Add', exact: true }).first().click();
      await touch.page.getByRole('menuitem', { name: 'Security key' }).click();
      await touch.page.getByRole('textbox', { name: 'Name' }).fill('blue');
      await touch.page.getByRole('button', { name: 'Add', exact: true }).last().click();
      await touch.page.getByRole('dialog').getByRole('alert').first().waitFor();
      assert.doesNotMatch(await product.must(['factor', 'list', unable.name]), /blue/);
      await touch.close();
    },
  );

  scenario(product, 'a wrong signature is refused, and a correct one after it is accepted', async () => {
    const person = addPerson('rita');
    const desk = await enrolled(person);
    const { cdp, id } = desk.key;
    const bogus = (isBogusSignature: boolean) =>
      cdp.send('WebAuthn.setResponseOverrideBits', { authenticatorId: id, isBogusSignature });
    const { terminal, link } = await sudo(person);
    await bogus(true);
    await approve(desk, link);
    await desk.page.getByText(/cannot approve this login/).waitFor();
    assert.equal(successes(await product.events('rita')), 0);
    await bogus(false);
    await approve(desk, link);
    await letIn(terminal);
    await desk.close();
  });

  scenario(product, 'without a touch the login waits, and continues with one', async () => {
    const person = addPerson('sara');
    const desk = await enrolled(person);
    await desk.key.touched(false);
    const { terminal, link } = await sudo(person);
    await approve(desk, link);
    await desk.page.getByRole('button', { name: 'Approve with security key', disabled: true }).waitFor();
    assert.doesNotMatch(terminal.transcript, /in-root/);
    assert.equal(successes(await product.events('sara')), 0);
    await desk.key.touched(true);
    await approve(desk, link);
    await letIn(terminal);
    await desk.close();
  });

  scenario(product, 'approved from two tabs at once, one login continues, once', async () => {
    const person = addPerson('tina');
    const desk = await enrolled(person);
    const other = await desk.tab();
    const { terminal, link } = await sudo(person);
    const tabs = [desk, other];
    for (const { page } of tabs) await page.goto(link);
    await Promise.all(
      tabs.map(({ page }) => page.getByRole('button', { name: 'Approve with security key' }).click()),
    );
    await letIn(terminal);
    const reported = await Promise.all(
      tabs.map(({ page }) =>
        page
          .getByText(/^(Approved|Refused|Expired)\./)
          .first()
          .innerText(),
      ),
    );
    assert.equal(reported.filter((text) => text.startsWith('Approved')).length, 1, reported.join(', '));
    const approved = (await product.events('tina')).filter(
      ({ kind, outcome, factor }) => kind === 'login' && outcome === 'success' && factor?.kind === 'webauthn',
    );
    assert.equal(approved.length, 1);
    await desk.close();
  });

  scenario(product, 'once the ssh client has disconnected, its link approves nothing', async () => {
    const person = addPerson('uma');
    const desk = await enrolled(person);
    const terminal = new Terminal(ssh('uma', { port }, ['echo in']));
    await terminal.answer(/Password: /, password);
    const { link } = await approvalOn(terminal);
    await desk.page.goto(link);
    const button = desk.page.getByRole('button', { name: 'Approve with security key' });
    await button.waitFor();
    await terminal.hangUp();
    await until('the login is over', async () =>
      (await product.events('uma')).some(({ outcome }) => outcome === 'abandoned'),
    );
    await button.click();
    await desk.page.getByText(/^Expired\./).waitFor();
    await desk.page.goto(link);
    await desk.page.getByText(/no longer waits/).waitFor();
    await desk.close();
  });
});
