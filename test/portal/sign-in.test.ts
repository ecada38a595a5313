import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Browser } from 'playwright-core';
import { newSecret, totp } from '../support/codes.ts';
import {
  choose,
  focusIs,
  obstacles,
  plugIn,
  startBrowser,
  stopBrowser,
  visit,
} from '../support/portal-browser.ts';
import { newRecovery, newTotp } from '../support/portal-fake-people.ts';

let browser: Browser;
before(async () => {
  browser = await startBrowser();
});
after(() => stopBrowser(browser));

describe('signing in', () => {
  it('asks for name and password, then for a code, and signs out', async () => {
    const { page, fake, open, close } = await visit(browser);
    const secret = newSecret();
    fake.person('alice', { factors: [newTotp('phone', secret)] });
    await open('/');
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await page.getByLabel('Account name').fill('alice');
    await page.getByLabel('Password').fill('password of alice');
    await page.keyboard.press('Enter');
    const code = page.getByLabel('Verification code');
    await code.fill('000000');
    await page.keyboard.press('Enter');
    await page.getByText('Incorrect code.').waitFor();
    await code.fill(totp(secret));
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'My second factors' }).waitFor();

    await choose(page, 'alice', 'Sign out');
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    assert.equal(fake.state.sessions.size, 0);
    await page.goBack();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await close();
  });

  it('refuses unknown names and wrong passwords with the same text', async () => {
    const { page, fake, open, close } = await visit(browser);
    fake.person('alice');
    const said: string[] = [];
    for (const name of ['alice', 'nobody']) {
      await open('/sign-in');
      await page.getByLabel('Account name').fill(name);
      await page.getByLabel('Password').fill('wrong');
      await page.getByRole('button', { name: 'Sign in' }).click();
      said.push(await page.getByRole('alert').innerText());
    }
    assert.equal(said[0], said[1]);
    await close();
  });

  it('accepts a recovery key where a code is asked for', async () => {
    const { page, fake, signIn, close } = await visit(browser);
    const alice = fake.person('alice', { factors: [newTotp('phone'), newRecovery(['AAAAA-BBBBB'])] });
    await signIn(alice, 'AAAAA-BBBBB');
    await page.getByText('Recovery keys').first().waitFor();
    await close();
  });

  it('accepts a security key, and allows a retry after a cancelled touch', async () => {
    const { page, fake, signIn, open, close } = await visit(browser);
    const alice = fake.person('alice');
    await signIn(alice);
    const key = await plugIn(page);
    await choose(page, 'Add', 'Security key');
    await page.getByRole('textbox', { name: 'Name' }).fill('blue');
    await page.getByRole('button', { name: 'Add', exact: true }).last().click();
    await page.getByRole('button', { name: 'Not now' }).click();
    await choose(page, 'alice', 'Sign out');

    await open('/sign-in');
    await page.getByLabel('Account name').waitFor();
    await focusIs(page, 'Account name');
    await page.keyboard.type('alice');
    await page.getByLabel('Password').fill(alice.password);
    await page.keyboard.press('Enter');
    // Another user's key answers that it knows no such credential.
    const { credentials } = await key.cdp.send('WebAuthn.getCredentials', { authenticatorId: key.id });
    await key.cdp.send('WebAuthn.clearCredentials', { authenticatorId: key.id });
    await page.getByRole('button', { name: 'Use security key' }).click();
    await page.getByText('Cancelled, or timed out. You can try again.').waitFor();
    for (const credential of credentials)
      await key.cdp.send('WebAuthn.addCredential', { authenticatorId: key.id, credential });
    await page.getByRole('button', { name: 'Use security key' }).click();
    await page.getByRole('heading', { name: 'My second factors' }).waitFor();
    await close();
  });

  it('asks for the key first and by itself, for codes next, and for recovery keys behind “Other ways”', async () => {
    const { page, fake, signIn, open, close } = await visit(browser);
    const alice = fake.person('alice');
    await signIn(alice);
    await plugIn(page);
    await choose(page, 'Add', 'Security key');
    await page.getByRole('textbox', { name: 'Name' }).fill('blue');
    await page.getByRole('button', { name: 'Add', exact: true }).last().click();
    await page.getByRole('button', { name: 'Not now' }).click();
    await choose(page, 'alice', 'Sign out');
    alice.factors = [newRecovery(['AAAAA-BBBBB']), ...alice.factors, newTotp('phone')];

    await open('/sign-in?user=alice');
    await page.getByLabel('Password').waitFor();
    await focusIs(page, 'Password');
    await page.keyboard.type(alice.password);
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Use security key' }).waitFor();
    await focusIs(page, 'Use security key');
    assert.equal(await page.getByRole('textbox').count(), 0);
    assert.equal(await page.getByRole('button', { name: 'Sign in' }).count(), 0);
    const other = page.getByRole('button', { name: 'Other ways' });
    assert.equal(await other.getAttribute('aria-expanded'), 'false');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    assert.equal(await other.getAttribute('aria-expanded'), 'true');
    assert.deepEqual(await obstacles(page), []);
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await focusIs(page, 'Verification code');
    const field = page.getByRole('textbox');
    const attributes = () =>
      Promise.all(['autocomplete', 'inputmode'].map((name) => field.getAttribute(name)));
    assert.deepEqual(await attributes(), ['one-time-code', 'numeric']);
    await other.click();
    await page.getByRole('button', { name: 'Recovery key' }).click();
    await focusIs(page, 'Recovery key');
    assert.deepEqual(await attributes(), ['off', 'text']);
    await page.keyboard.type('AAAAA-BBBBB');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'My second factors' }).waitFor();
    await close();
  });

  it('continues to the requested page, and never to another origin', async () => {
    const { page, fake, open, close } = await visit(browser);
    const admin = fake.person('root-admin', { admin: true });
    await open('/admin/audit');
    await page.getByLabel('Account name').fill(admin.account);
    await page.getByLabel('Password').fill(admin.password);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Audit trail' }).waitFor();
    await choose(page, admin.account, 'Sign out');
    await open('/sign-in?next=//evil.example/');
    await page.getByLabel('Account name').fill(admin.account);
    await page.getByLabel('Password').fill(admin.password);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'My second factors' }).waitFor();
    assert.equal(page.url(), `${fake.origin}/`);
    await close();
  });

  it('accepts a link instead of the password, and removes it from the address bar at once', async () => {
    const { page, fake, open, close } = await visit(browser);
    const alice = fake.person('alice');
    for (const [address, shown, button] of [
      ['/sign-in#link=once', '/sign-in', 'Continue'],
      ['/invite#invited', '/invite', 'Continue'],
      // As earlier versions created them.
      ['/sign-in?link=once', '/sign-in', 'Continue'],
      ['/invite/invited', '/invite', 'Continue'],
    ] as const) {
      fake.state.links.set('once', alice).set('invited', alice);
      await open('/healthz');
      const sent: string[] = [];
      page.on('request', (request) => sent.push(request.url()));
      await open(address);
      await page.getByRole('button', { name: button }).waitFor();
      assert.equal(page.url(), fake.origin + shown);
      if (address.includes('#')) assert.doesNotMatch(sent.join(' '), /once|invited/);
      page.removeAllListeners('request');
      assert.equal(await page.getByLabel('Password').count(), 0);
      await page.getByLabel('Account name').fill('alice');
      await page.getByRole('button', { name: button }).click();
      await page.getByRole('heading', { name: 'My second factors' }).waitFor();
      // There may be no password: none is asked for while the verification by link is fresh.
      await choose(page, 'Add', 'TOTP');
      await page.getByRole('dialog').waitFor();
      assert.equal(await page.getByLabel('Password').count(), 0);
      await page.keyboard.press('Escape');
      await choose(page, 'alice', 'Sign out');
    }
    await close();
  });
});

describe('a link', () => {
  it('opened in a page that shows another one replaces it', async () => {
    const { page, fake, open, close } = await visit(browser);
    const alice = fake.person('alice');
    fake.state.links.set('second', alice);
    await open('/sign-in#link=first');
    await page.getByText('The link replaces your password').waitFor();
    await page.evaluate("location.hash = 'link=second'");
    await page.waitForURL(`${fake.origin}/sign-in`);
    await page.getByLabel('Account name').fill('alice');
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByRole('heading', { name: 'My second factors' }).waitFor();
    await page.goBack();
    assert.doesNotMatch(page.url(), /first|second/);
    await close();
  });

  it('of an approval is removed from the address bar too', async () => {
    const { page, fake, open, close } = await visit(browser);
    const { id } = fake.approval(fake.person('alice'));
    await open(`/approve#${id}`);
    await page.getByText('server1.example.org').waitFor();
    assert.equal(page.url(), `${fake.origin}/approve`);
    await page.reload();
    await page.getByText('Open the link shown at the prompt').waitFor();
    await close();
  });
});

describe('an invite', () => {
  it('that was used shows no welcome page', async () => {
    const { page, open, close } = await visit(browser);
    await open('/invite#used');
    await page.getByRole('heading', { name: 'Welcome' }).waitFor();
    await page.getByLabel('Account name').fill('alice');
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByRole('alert').waitFor();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    assert.equal(await page.getByText('You were invited').count(), 0);
    await page.reload();
    await page.getByText('Open the link in your invitation again').waitFor();
    await close();
  });

  it('asks for the password if it needs one, and not again for the first factor', async () => {
    const { page, fake, open, close } = await visit(browser);
    const alice = fake.person('alice');
    fake.state.links.set('with-password-1', alice);
    await open('/invite#with-password-1');
    await page.getByLabel('Account name').fill('alice');
    await page.getByRole('button', { name: 'Continue' }).click();
    const password = page.getByLabel('Password');
    await password.fill('wrong');
    await page.keyboard.press('Enter');
    await page.getByText('Incorrect password, or the link is invalid, used or expired.').waitFor();
    await password.fill(alice.password);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'My second factors' }).waitFor();
    await choose(page, 'Add', 'TOTP');
    // Where enrolment is refused, the password is not enough until there is a factor.
    await page.getByRole('dialog').getByLabel('Verification code').waitFor();
    assert.equal(await page.getByRole('dialog').getByLabel('Password').count(), 0);
    await close();
  });
});

describe('a session that expires half-way', () => {
  for (const tell of [true, false])
    it(`keeps what was typed, but no password (${tell ? 'the server reports it' : 'the next request reports it'})`, async () => {
      const { page, fake, signIn, close } = await visit(browser);
      const alice = fake.person('alice');
      await signIn(alice);
      await choose(page, 'Add', 'TOTP');
      const dialog = page.getByRole('dialog', { name: 'Add a TOTP factor' });
      await dialog.getByLabel('Name', { exact: true }).fill('pixel-7 authy');
      const secret = await dialog.getByLabel('Secret', { exact: true }).inputValue();
      await dialog.getByLabel('Password').fill(alice.password);
      await dialog.getByLabel('Verification code').fill('123456');
      fake.endSessions(tell);
      if (!tell) await dialog.getByRole('button', { name: 'Add' }).click();
      const over = page.getByRole('dialog', { name: 'Your session has ended' });
      await over.waitFor();
      await page.keyboard.press('Escape');
      await page.keyboard.press('Escape');
      assert.equal(await over.isVisible(), true);
      assert.equal(await over.getByLabel('Account name').inputValue(), 'alice');
      await over.getByLabel('Password').fill(alice.password);
      await over.getByRole('button', { name: 'Sign in', exact: true }).click();
      await over.waitFor({ state: 'detached' });
      assert.equal(await dialog.getByLabel('Name', { exact: true }).inputValue(), 'pixel-7 authy');
      assert.equal(await dialog.getByLabel('Secret', { exact: true }).inputValue(), secret);
      assert.equal(await dialog.getByLabel('Password').inputValue(), '');
      await close();
    });

  it('can be left, and then nothing of it stays', async () => {
    const { page, fake, signIn, close } = await visit(browser);
    await signIn(fake.person('alice'));
    fake.endSessions(true);
    await page.getByRole('button', { name: 'Leave, or sign in as another user' }).click();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    assert.equal(await page.getByLabel('Account name').inputValue(), '');
    await close();
  });
});
