import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { base32, totp } from './codes.ts';
import { choose, startBrowser, stopBrowser, type Visit, visit } from './portal-browser.ts';
import { newFactor, newRecovery, newTotp } from './portal-fake-people.ts';

const day = 86_400_000;
/** Always the same moment and secret, so that a picture changes only when the page does. */
const now = Date.parse('2026-03-02T09:30:00Z');
const secret = Buffer.from('a secret for pictures');

/** Every page and dialog that people meet, desktop and phone, light and dark. */
export async function takeScreenshots(directory: string): Promise<void> {
  const browser = await startBrowser(['--disable-lcd-text']);
  try {
    for (const [how, options] of [
      ['desktop-light', { viewport: { width: 1280, height: 800 }, colorScheme: 'light' as const }],
      ['desktop-dark', { viewport: { width: 1280, height: 800 }, colorScheme: 'dark' as const }],
      ['phone-light', { viewport: { width: 390, height: 844 }, colorScheme: 'light' as const }],
      ['phone-dark', { viewport: { width: 390, height: 844 }, colorScheme: 'dark' as const }],
    ] as const) {
      const there = await visit(browser, { ...options, timezoneId: 'UTC' });
      await tour(there, (name) => take(there.page, join(directory, `${name}-${how}.png`)));
      await there.close();
    }
  } finally {
    await stopBrowser(browser);
  }
}

async function take(page: Page, path: string): Promise<void> {
  await page.mouse.move(0, 0);
  await page.screenshot({ path, animations: 'disabled', caret: 'hide' });
}

async function tour(there: Visit, picture: (name: string) => Promise<void>): Promise<void> {
  const { page, fake, open, enter } = there;
  const alice = fake.person('alice', {
    admin: true,
    factors: [
      newTotp('pixel-7 authy', secret, { created: now - 200 * day, lastUsed: now - 3_600_000 }),
      newFactor('webauthn', 'blue key on the ring', { created: now - 90 * day, lastUsed: now - day }),
      newFactor('yubikey', 'spare YubiKey', { created: now - 80 * day, enabled: false }),
      newFactor('u2f', 'old key', { created: now - 900 * day }),
      newRecovery(['a', 'b', 'c'], { created: now - 200 * day }),
    ],
    lastLogin: { at: now - 3_600_000, service: 'sshd', source: '192.0.2.10' },
  });
  furnish(there);

  await open('/sign-in');
  await page.getByLabel('Account name').fill('alice');
  await picture('sign-in');
  await page.getByLabel('Password').fill(alice.password);
  await page.keyboard.press('Enter');
  await page.getByLabel('Verification code').waitFor();
  await picture('second-factor');

  await enter(alice);
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await picture('my-second-factors');
  await page.keyboard.press('Escape');

  await choose(page, 'Add', 'TOTP');
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name', { exact: true }).fill('work phone');
  await dialog.getByLabel('Secret', { exact: true }).fill(base32(secret));
  await dialog.getByLabel('Password').fill('a password');
  await dialog.getByLabel('Verification code').fill(totp(secret, { at: now }));
  await picture('add-totp');
  await page.keyboard.press('Escape');

  await choose(page, 'Add', 'Security key');
  await dialog.getByLabel('Name').fill('this laptop');
  await picture('add-security-key');
  await page.keyboard.press('Escape');

  await choose(page, 'Add', 'Recovery keys');
  await dialog.getByRole('button', { name: 'Replace recovery keys' }).click();
  await dialog.getByText('Shown only once').waitFor();
  // The keys and the time of making are other ones each time.
  await page.evaluate(
    'document.querySelectorAll(".recovery-keys code").forEach((key, at) => { key.textContent = "7KQ4M-XW2PD-R9ZTA-C3HJ" + "ABCDEFGHJK"[at]; }); document.querySelector(".sheet-made").textContent = "made 2026-03-02 09:30"',
  );
  await picture('recovery-keys');

  await open(`/approve#${fake.approval(alice, { asked: now, expires: Date.now() + 90_000 }).id}`);
  await page.getByText('seconds left').waitFor();
  await picture('approve');
  const elsewhere = { asked: now, elsewhere: true, source: '203.0.113.9' };
  await open(`/approve#${fake.approval(alice, elsewhere).id}`);
  await page.getByText('seconds left').waitFor();
  await picture('approve-elsewhere');

  await open('/admin');
  await page.getByRole('link', { name: 'bob' }).waitFor();
  await picture('admin-accounts');
  await open('/admin/account?user=bob');
  await page.getByRole('button', { name: 'Unlock' }).waitFor();
  await picture('admin-account');
  await open('/admin/invite');
  await page.getByLabel('Account names').fill('erin\nfrank');
  await picture('admin-invite');
  await open('/admin/audit');
  await page.getByRole('cell', { name: 'bob' }).first().waitFor();
  await picture('admin-audit');

  fake.endSessions(true);
  await page.getByRole('dialog', { name: 'Your session has ended' }).waitFor();
  await picture('session-over');
}

function furnish({ fake }: Visit): void {
  fake.person('bob', {
    factors: [newTotp('phone', secret, { created: now - 30 * day, lastUsed: now - 2 * day })],
    lock: { codes: 8, any: 8, codesLockedAt: now - 600_000 },
    lastLogin: { at: now - 2 * day, service: 'sudo' },
    require: ['totp', 'webauthn'],
  });
  for (const name of ['carol', 'dave', 'erin', 'frank', 'grace'])
    fake.person(name, {
      factors: name < 'e' ? [newFactor('webauthn', 'key'), newRecovery(['a'])] : [],
      ...(name < 'f' ? { lastLogin: { at: now - 5 * day, service: 'sshd', source: '192.0.2.20' } } : {}),
    });
  const phone = { id: 'a', kind: 'totp', name: 'phone' };
  for (let number = 0; number < 8; number += 1)
    fake.audit({
      account: 'bob',
      at: now - (20 - number) * 30_000,
      outcome: 'refused',
      reason: number === 7 ? 'codes-locked' : 'wrong',
      source: '203.0.113.9',
    });
  fake.audit({ account: 'alice', at: now - 120_000, factor: phone });
  fake.audit({
    account: 'carol',
    at: now - 60_000,
    service: 'sudo',
    outcome: 'not-needed',
    reason: 'remembered',
  });
}
