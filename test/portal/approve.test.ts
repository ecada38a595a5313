import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Browser } from 'playwright-core';
import {
  choose,
  plugIn,
  startBrowser,
  stopBrowser,
  styleOf,
  type Visit,
  visit,
} from '../support/portal-browser.ts';
import type { FakePerson } from '../support/portal-fake-people.ts';

let browser: Browser;
before(async () => {
  browser = await startBrowser();
});
after(() => stopBrowser(browser));

/** A signed-in user with a plugged-in key. */
async function withKey(): Promise<{ readonly there: Visit; readonly alice: FakePerson }> {
  const there = await visit(browser);
  const alice = there.fake.person('alice');
  await there.enter(alice);
  await plugIn(there.page);
  await choose(there.page, 'Add', 'Security key');
  await there.page.getByRole('dialog').getByLabel('Name').fill('blue');
  await there.page.keyboard.press('Enter');
  await there.page.getByRole('button', { name: 'Not now' }).click();
  return { there, alice };
}

describe('the page of a login that awaits approval', () => {
  it('shows account, service, source and number, and approves with the key', async () => {
    const { there, alice } = await withKey();
    const { page, fake, open, close } = there;
    const { id } = fake.approval(alice);
    await open(`/approve#${id}`);
    for (const text of ['alice', 'server1.example.org', 'sshd', '192.0.2.10', '47'])
      await page.getByText(text, { exact: true }).first().waitFor();
    const size = Number.parseFloat(await styleOf(page.getByText('47', { exact: true }), 'font-size'));
    assert.ok(size >= 60);
    assert.equal(await page.getByRole('alert').count(), 0);
    await page.getByRole('button', { name: 'Approve with security key' }).click();
    await page.getByText('Return to your login').waitFor();
    assert.doesNotMatch(await page.getByRole('main').innerText(), /Approved\.\s*Approved/);
    assert.equal(fake.state.approvals.get(id)?.outcome, 'approved');
    await open(`/approve#${id}`);
    await page.getByText('This login no longer waits for approval. Start it again.').waitFor();
    await close();
  });

  it('warns of a login from elsewhere, and denies it without signing in', async () => {
    const { page, fake, open, close } = await visit(browser);
    const { id } = fake.approval(fake.person('alice'), { elsewhere: true, source: '203.0.113.9' });
    await open(`/approve#${id}`);
    const alarm = page.getByRole('alert');
    assert.match(await alarm.innerText(), /comes from a different address/);
    assert.match(await alarm.innerText(), /203\.0\.113\.9/);
    await page.getByRole('button', { name: 'Deny' }).click();
    await page.getByText('If you did not start this login').waitFor();
    assert.equal(fake.state.approvals.get(id)?.outcome, 'denied');
    await close();
  });

  it('says that a request has expired', async () => {
    const { page, fake, open, close } = await visit(browser);
    const { id } = fake.approval(fake.person('alice'), { expires: Date.now() + 300 });
    await open(`/approve#${id}`);
    await page.getByText('This request has expired.').waitFor();
    assert.equal(await page.getByRole('button', { name: 'Approve with security key' }).count(), 0);
    await close();
  });
});

describe('a login announced by itself', () => {
  it('is shown on every page, and its number must be typed', async () => {
    const { there, alice } = await withKey();
    const { page, fake, close } = there;
    const approval = fake.approval(alice);
    fake.announce(approval);
    await page.getByText('Login awaiting approval:').waitFor();
    await page.getByRole('button', { name: 'Review' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('server1.example.org').waitFor();
    assert.equal(await page.getByText('47', { exact: true }).count(), 0);
    const approve = dialog.getByRole('button', { name: 'Approve with security key' });
    assert.equal(await approve.isDisabled(), true);
    await dialog.getByLabel('Number at the prompt').fill('47');
    await approve.click();
    await dialog.getByText('Return to your login').waitFor();
    await dialog.getByRole('button', { name: 'Close' }).click();
    await page.getByText('Login awaiting approval:').waitFor({ state: 'detached' });
    await close();
  });

  it('is not announced by a banner on the page that shows it', async () => {
    const { there, alice } = await withKey();
    const { page, fake, open, close } = there;
    const approval = fake.approval(alice);
    fake.announce(approval);
    await page.getByText('Login awaiting approval:').waitFor();
    await open(`/approve#${approval.id}`);
    await page.getByText('seconds left').waitFor();
    assert.equal(await page.getByText('Login awaiting approval:').count(), 0);
    await close();
  });

  it('ends after one wrong number', async () => {
    const { there, alice } = await withKey();
    const { page, fake, close } = there;
    const approval = fake.approval(alice);
    fake.announce(approval);
    await page.getByRole('button', { name: 'Review' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Number at the prompt').fill('11');
    await page.keyboard.press('Enter');
    await dialog.getByText('Wrong number.').waitFor();
    assert.equal(await dialog.getByRole('button', { name: 'Approve with security key' }).count(), 0);
    assert.equal(fake.state.approvals.get(approval.id)?.outcome, 'refused');
    await close();
  });
});
