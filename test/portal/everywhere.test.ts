import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Browser } from 'playwright-core';
import {
  choose,
  obstacles,
  startBrowser,
  stopBrowser,
  type Visit,
  visit,
} from '../support/portal-browser.ts';
import { newFactor, newRecovery, newTotp } from '../support/portal-fake-people.ts';
import { loadScript } from '../unit/scripts/load.ts';

let browser: Browser;
before(async () => {
  browser = await startBrowser();
});
after(() => stopBrowser(browser));

const dark = { colorScheme: 'dark' as const, viewport: { width: 360, height: 740 } };

/** Everything that a page can contain at once. */
async function furnished(options = {}): Promise<Visit> {
  const there = await visit(browser, options);
  const { fake, enter } = there;
  const alice = fake.person('alice', {
    admin: true,
    factors: [
      newTotp('phone', undefined, { lastUsed: Date.now() - 86_400_000 }),
      newFactor('webauthn', 'blue', { enabled: false }),
      newFactor('u2f', 'old key'),
      newRecovery(['AAAAA', 'BBBBB']),
    ],
    lock: { codes: 8, any: 9, codesLockedAt: Date.now() - 60_000 },
  });
  fake.person('bob', { lastLogin: { at: Date.now(), service: 'sshd', source: '192.0.2.10' } });
  fake.audit({ account: 'bob' });
  fake.audit({ account: 'alice', outcome: 'refused', reason: 'wrong' });
  fake.approval(alice, { elsewhere: true });
  await enter(alice);
  return there;
}

const pages: readonly { readonly at: string; readonly heading: string }[] = [
  { at: '/', heading: 'My second factors' },
  { at: '/approve#approval-1', heading: 'Approve a login' },
  { at: '/admin', heading: 'Accounts' },
  { at: '/admin/account?user=alice', heading: 'alice' },
  { at: '/admin/invite', heading: 'Invite' },
  { at: '/admin/audit', heading: 'Audit trail' },
  { at: '/sign-in', heading: 'Sign in' },
];
const dialogs: readonly { readonly item: string; readonly title: string }[] = [
  { item: 'TOTP', title: 'Add a TOTP factor' },
  { item: 'Security key', title: 'Add a security key' },
  { item: 'Recovery keys', title: 'Add recovery keys' },
  { item: 'YubiKey OTP', title: 'Add a YubiKey OTP' },
];
const overflow = 'document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth';

describe('each page', () => {
  for (const [how, options] of [
    ['light, on a desktop', {}],
    ['dark, on a phone', dark],
  ] as const)
    it(`is accessible (${how}): axe-core finds nothing serious, and nothing overflows the screen`, async () => {
      const { page, fake, open, close } = await furnished(options);
      for (const { at, heading } of pages) {
        await open(at);
        await page.getByRole('heading', { name: heading, exact: true }).waitFor();
        await page.getByText('Loading …').waitFor({ state: 'detached' });
        assert.deepEqual(await obstacles(page), [], at);
        assert.equal(await page.evaluate(overflow), 0, at);
      }
      await open('/');
      for (const { item, title } of dialogs) {
        await choose(page, 'Add', item);
        await page.getByRole('dialog', { name: title }).waitFor();
        assert.deepEqual(await obstacles(page), [], title);
        await page.keyboard.press('Escape');
        await page.getByRole('dialog').waitFor({ state: 'detached' });
      }
      await page.getByRole('button', { name: 'Add', exact: true }).click();
      assert.deepEqual(await obstacles(page), [], 'the menu');
      await page.keyboard.press('Escape');
      fake.endSessions(true);
      await page.getByRole('dialog', { name: 'Your session has ended' }).waitFor();
      assert.deepEqual(await obstacles(page), [], 'the end of a session');
      await close();
    });
});

/** Words of cells that take more than one line. */
const brokenWords = `[...document.querySelectorAll('.list tbody td')].flatMap((cell) => {
  const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
  const broken = [];
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode())
    for (const { 0: word, index } of node.data.matchAll(/\\S+/g)) {
      const range = document.createRange();
      range.setStart(node, index);
      range.setEnd(node, index + word.length);
      if (new Set([...range.getClientRects()].map(({ top }) => top)).size > 1) broken.push(word);
    }
  return broken;
})`;
const cellsThatOverflow = `[...document.querySelectorAll('.list tbody > tr, .list tbody td, .list tbody th')]
  .filter((cell) => cell.scrollWidth > cell.clientWidth + 1).map((cell) => cell.textContent)`;

describe('tables of usual content', () => {
  for (const width of [390, 1280])
    it(`break inside no word, and keep their position (${width})`, async () => {
      const { page, fake, open, close } = await furnished({ viewport: { width, height: 844 } });
      fake.person('benedikt.hofmann', {
        factors: [newTotp('phone'), newFactor('yubikey', 'spare'), newRecovery(['AAAAA'])],
        lastLogin: {
          at: Date.now(),
          service: 'sallyport-portal',
          source: '2001:db8:1234:5678:9abc:def0:1:2',
        },
      });
      fake.audit({
        account: 'benedikt.hofmann',
        kind: 'factor-disabled',
        outcome: 'not-needed',
        reason: 'public-key-not-accepted',
        service: 'sallyport-portal',
        source: '2001:db8:1234:5678:9abc:def0:1:2',
        factor: { id: 'a', kind: 'webauthn', name: 'blue key on the ring' },
      });
      for (const [at, cell] of [
        ['/admin/audit', 'benedikt.hofmann'],
        ['/admin', 'sallyport-portal'],
      ] as const) {
        await open(at);
        await page.getByText(cell).first().waitFor();
        assert.deepEqual(await page.evaluate(brokenWords), [], at);
        assert.deepEqual(await page.evaluate(cellsThatOverflow), [], at);
        assert.equal(await page.evaluate(overflow), 0, at);
      }
      await close();
    });

  it('distinguish an account that lacks what its realm requires from one that does not', async () => {
    const { page, fake, enter, open, close } = await visit(browser);
    const alice = fake.person('alice', { admin: true, require: ['totp', 'webauthn'] });
    fake.person('bob', { require: ['totp'], factors: [newRecovery(['AAAAA'])] });
    fake.person('carol', { require: ['totp'], factors: [newTotp('phone')] });
    await enter(alice);
    await page.getByText('requires TOTP or Security key, and you have none').waitFor();
    await open('/admin');
    const stateOf = (name: string) => page.getByRole('row', { name }).locator('.state').innerText();
    await page.getByRole('link', { name: 'bob' }).waitFor();
    assert.deepEqual(await Promise.all(['alice', 'bob', 'carol'].map(stateOf)), [
      'no second factor',
      'no second factor',
      'OK',
    ]);
    await open('/admin/account?user=bob');
    await page.getByText('requires TOTP, and this account has none enabled').waitFor();
    await open('/admin/account?user=carol');
    await page.getByRole('heading', { name: 'Second factors' }).waitFor();
    assert.equal(await page.getByText('has none enabled').count(), 0);
    await close();
  });
});

describe('text written by others', () => {
  it('is text, and never HTML', async () => {
    const { page, fake, enter, open, close } = await visit(browser);
    const html = '<img src=x onerror="document.title=1"><b>bold</b><script>document.title=2</script>';
    const eve = fake.person(html, {
      admin: true,
      issuer: html,
      factors: [newFactor('totp', html, { detail: html }), newFactor('u2f', html, { detail: html })],
      lastLogin: { at: Date.now(), service: html, source: html },
    });
    fake.audit({ account: html, service: html, source: html, reason: html });
    const { id } = fake.approval(eve, { host: html, service: html, source: html, elsewhere: true });
    await enter(eve);
    const account = encodeURIComponent(html);
    for (const at of [
      '/',
      `/approve#${id}`,
      '/admin',
      `/admin/account?user=${account}`,
      `/admin/invite?user=${account}`,
      `/admin/audit?user=${account}`,
      `/sign-in?user=${account}`,
      `/sign-in#link=${account}`,
      `/sign-in?link=${account}`,
      `/${account}`,
    ]) {
      await open(at);
      await page.getByRole('heading').first().waitFor();
      await page.getByText('Loading …').waitFor({ state: 'detached' });
      assert.equal(await page.locator('img, main script, main b:text-is("bold")').count(), 0, at);
      assert.equal(await page.title(), 'Sallyport', at);
    }
    await open('/');
    fake.announce(fake.approval(eve, { host: html, service: html, source: html }));
    await page.getByText('Login awaiting approval:').waitFor();
    await choose(page, 'Add', 'TOTP');
    await page.getByRole('img', { name: 'QR code for' }).waitFor();
    assert.equal(await page.locator('img, main script').count(), 0);
    await close();
  });
});

describe('the pages together', () => {
  it('are smaller than 60 KB, compressed', async () => {
    const { compressedSizes, pagesLimit } = await loadScript<{
      compressedSizes(): readonly { readonly name: string; readonly bytes: number }[];
      pagesLimit: number;
    }>('lib/pages.mjs');
    const sizes = compressedSizes();
    assert.equal(sizes.length, 4);
    assert.ok(sizes.reduce((sum, { bytes }) => sum + bytes, 0) < pagesLimit);
  });
});
