import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Browser } from 'playwright-core';
import { totp } from '../support/codes.ts';
import {
  choose,
  clipboard,
  startBrowser,
  stopBrowser,
  type Visit,
  visit,
} from '../support/portal-browser.ts';
import { newTotp } from '../support/portal-fake-people.ts';

let browser: Browser;
before(async () => {
  browser = await startBrowser();
});
after(() => stopBrowser(browser));

async function asAdmin(): Promise<Visit> {
  const there = await visit(browser);
  await there.enter(there.fake.person('operator', { admin: true }));
  return there;
}

describe('the pages for administrators', () => {
  it('are only for administrators', async () => {
    const { page, fake, enter, open, close } = await visit(browser);
    await enter(fake.person('alice'));
    assert.equal(await page.getByRole('link', { name: 'Administration' }).count(), 0);
    await open('/admin');
    await page.getByText('These pages are for administrators.').waitFor();
    await close();
  });

  it('list accounts in pages, and find them by the beginning of a name', async () => {
    const { page, fake, close } = await asAdmin();
    for (let number = 100; number < 220; number += 1) fake.person(`user${number}`);
    await page.getByRole('link', { name: 'Administration' }).click();
    await page.getByRole('link', { name: 'user100' }).waitFor();
    assert.equal(await page.getByRole('row').count(), 51);
    await page.getByRole('button', { name: 'Next' }).click();
    await page.getByRole('link', { name: 'user149' }).waitFor();
    await page.getByRole('button', { name: 'Next' }).click();
    await page.getByRole('link', { name: 'user219' }).waitFor();
    assert.equal(await page.getByRole('button', { name: 'Next' }).isDisabled(), true);
    await page.getByRole('button', { name: 'Previous' }).click();
    await page.getByRole('link', { name: 'user149' }).waitFor();
    fake.person('user20.of.sales');
    await page.getByLabel('Search').fill('user20');
    await page.getByRole('link', { name: 'user200' }).waitFor();
    await page.getByRole('link', { name: 'user149' }).waitFor({ state: 'detached' });
    assert.equal(await page.getByRole('row').count(), 12);
    await page.getByRole('link', { name: 'user20.of.sales' }).click();
    await page.reload();
    await page.getByRole('heading', { name: 'user20.of.sales' }).waitFor();
    await close();
  });

  it('unlock an account, and add and remove its factors', async () => {
    const { page, fake, open, close } = await asAdmin();
    const bob = fake.person('bob', {
      lock: { codes: 8, any: 8, codesLockedAt: Date.now() },
      factors: [newTotp('lost phone')],
    });
    await open('/admin/account?user=bob');
    await page.getByRole('button', { name: 'Unlock' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('may know the password').waitFor();
    await dialog.getByRole('button', { name: 'Unlock' }).click();
    await page.getByText('bob was unlocked.').waitFor();
    assert.equal(bob.lock.codes, 0);

    await page.getByRole('button', { name: 'Change lost phone' }).click();
    await page.getByRole('menuitem', { name: 'Remove' }).click();
    await dialog.getByRole('button', { name: 'Remove' }).click();
    await page.getByText('“lost phone” was removed. Logins need the password alone now').waitFor();
    await choose(page, 'Add', 'TOTP');
    await dialog.getByRole('img', { name: 'QR code for bob' }).waitFor();
    await dialog.getByLabel('Name', { exact: true }).fill('new phone');
    await dialog.getByLabel('Secret', { exact: true }).fill('JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP');
    const raw = Buffer.from('48656c6c6f21deadbeef48656c6c6f21deadbeef', 'hex');
    await dialog.getByLabel('Password').fill('password of operator');
    await dialog.getByLabel('Verification code').fill(totp(raw));
    await dialog.getByRole('button', { name: 'Add', exact: true }).click();
    await page.getByText('“new phone” was added.').waitFor();
    assert.deepEqual(bob.factors[0]?.secret, raw);
    await close();
  });

  it('issue a bypass code, and show exempt accounts', async () => {
    const { page, fake, open, close } = await asAdmin();
    const until = Date.now() + 3_600_000;
    const bob = fake.person('bob', {
      factors: [newTotp('lost phone')],
      exemption: { since: 0, until, by: 'uid:0', services: ['sudo'], reason: 'repair' },
    });
    await open('/admin/account?user=bob');
    await page.getByText(', for sudo, by uid:0: repair').waitFor();
    await page.getByRole('button', { name: 'Bypass code' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('Be sure who is on the phone').waitFor();
    await dialog.getByRole('button', { name: 'Create code' }).click();
    await dialog.getByText('123 456 789').waitFor();
    await dialog.getByRole('button', { name: 'Done' }).click();
    await page.getByText('one login, until').waitFor();
    assert.deepEqual(
      bob.factors.map(({ kind }) => kind),
      ['totp', 'bypass'],
    );
    await open('/admin/account?user=operator');
    await page.getByRole('heading', { name: 'operator' }).waitFor();
    assert.equal(await page.getByRole('button', { name: 'Bypass code' }).isDisabled(), true);
    await close();
  });

  it('do not change root', async () => {
    const { page, fake, open, close } = await asAdmin();
    fake.person('root', { uid: 0 });
    await open('/admin/account?user=root');
    await page.getByRole('button', { name: 'Add', exact: true }).click();
    assert.equal(await page.getByRole('menuitem', { name: 'TOTP' }).getAttribute('aria-disabled'), 'true');
    assert.equal(await page.getByRole('button', { name: 'Invite' }).isDisabled(), true);
    await close();
  });

  it('invite a list of names, and show each link once', async () => {
    const { page, fake, open, close } = await asAdmin();
    for (const name of ['ann', 'ben']) fake.person(name);
    await open('/admin/invite');
    await page.getByLabel('Account names').fill('ann\nnobody\nben');
    await page.getByRole('button', { name: 'Invite 3 accounts' }).click();
    await page.getByText('Account "nobody" not found.').waitFor();
    await page.getByRole('button', { name: 'Copy the link of ben' }).waitFor();
    await page.getByRole('button', { name: 'Invite', exact: true }).waitFor();
    assert.equal(await page.getByLabel('Account names').inputValue(), 'nobody');
    const links = await page.locator('.links code').allInnerTexts();
    assert.equal(links.length, 2);
    for (const link of links) assert.match(link, new RegExp(`^${fake.origin}/invite#[\\w-]{20,}$`));
    await page.getByRole('button', { name: 'Copy the link of ben' }).click();
    await page.getByText('Copied.').waitFor();
    assert.equal(await clipboard(page), links[1]);
    await page.reload();
    await page.getByRole('heading', { name: 'Invite' }).waitFor();
    assert.equal(await page.getByText(links[0] ?? '').count(), 0);
    await close();
  });

  it('show the audit trail, older events, and new ones as they happen', async () => {
    const { page, fake, open, close } = await asAdmin();
    for (let number = 1; number <= 70; number += 1) fake.audit({ account: `user${number}` });
    await open('/admin/audit');
    await page.getByRole('cell', { name: 'user70' }).waitFor();
    assert.equal(await page.getByRole('cell', { name: 'user20', exact: true }).count(), 0);
    await page.getByRole('button', { name: 'Older' }).click();
    await page.getByRole('cell', { name: 'user1', exact: true }).waitFor();
    fake.audit({ account: 'carol', outcome: 'refused', reason: 'wrong' });
    await page.getByRole('cell', { name: 'carol' }).waitFor();
    assert.equal(await page.getByRole('row').nth(1).getByText('carol').count(), 1);
    fake.audit({ account: '', outcome: 'refused', reason: 'wrong', count: 12, offset: -180 });
    await page.getByText('wrong, a right code of 3 minutes ago, 12 times').waitFor();
    await page.getByLabel('Account').fill('carol');
    await page.getByRole('button', { name: 'Show' }).click();
    await page.getByRole('cell', { name: 'user70' }).waitFor({ state: 'detached' });
    assert.equal(await page.getByRole('row').count(), 2);
    await close();
  });
});
