import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Browser,
  type BrowserContextOptions,
  type CDPSession,
  chromium,
  type Locator,
  type Page,
} from 'playwright-core';
import { type PortalFake, startPortalFake } from './portal-fake.ts';
import type { FakePerson } from './portal-fake-people.ts';
import { projectRoot } from './project.ts';
import { until } from './until.ts';

/** A tab on the fake portal; whatever it must never do was noted down. */
export interface Visit {
  readonly page: Page;
  readonly fake: PortalFake;
  /** Breaches of the content security policy, errors of scripts, requests to other origins. */
  readonly faults: string[];
  open(path: string): Promise<void>;
  /** As somebody who has signed in already. */
  enter(person: FakePerson): Promise<void>;
  /** Signs in by typing; `answer` for accounts with a factor. */
  signIn(person: FakePerson, answer?: string): Promise<void>;
  close(): Promise<void>;
}

const patience = 30_000;

const openFakes = new Set<PortalFake>();

export async function startBrowser(args: readonly string[] = []): Promise<Browser> {
  return await chromium.launch({ executablePath: '/usr/bin/chromium', headless: true, args: [...args] });
}

/** With what a test that failed has left open. */
export async function stopBrowser(browser: Browser): Promise<void> {
  await browser.close();
  await Promise.all([...openFakes].map((fake) => fake.close()));
}

/** A browser of its own kind: its own cookies, and a portal of its own. */
export async function visit(browser: Browser, options: BrowserContextOptions = {}): Promise<Visit> {
  const fake = await startPortalFake();
  openFakes.add(fake);
  const context = await browser.newContext({ locale: 'en-GB', acceptDownloads: true, ...options });
  context.setDefaultTimeout(patience);
  await context.grantPermissions(['clipboard-write'], { origin: fake.origin });
  const page = await context.newPage();
  const faults: string[] = [];
  await page.exposeFunction('noteFault', (text: string) => faults.push(text));
  await page.addInitScript(() => {
    addEventListener('securitypolicyviolation', (event) => {
      const note = (globalThis as unknown as { noteFault(text: string): void }).noteFault;
      note(`policy: ${event.violatedDirective} ${event.blockedURI}`);
    });
  });
  await page.addInitScript(noteCopies);
  page.on('pageerror', (error) => faults.push(`script: ${error.message}`));
  page.on('request', (request) => {
    const own = request.url().startsWith(`${fake.origin}/`) || /^(blob|data):/.test(request.url());
    if (!own) faults.push(`request to ${request.url()}`);
  });
  const open = async (path: string) => {
    await page.goto(fake.origin + path);
  };
  return {
    page,
    fake,
    faults,
    open,
    async enter(person) {
      const value = fake.begin(person);
      await context.addCookies([{ name: 'sallyport', value, url: fake.origin, httpOnly: true }]);
      await open('/');
      await page.getByRole('heading', { name: 'My second factors' }).waitFor();
    },
    async signIn(person, answer) {
      await open('/sign-in');
      await page.getByLabel('Account name').fill(person.account);
      await page.getByLabel('Password').fill(person.password);
      await page.getByRole('button', { name: 'Sign in' }).click();
      if (answer !== undefined) {
        await page.getByLabel(/Verification code|Recovery key/).fill(answer);
        await page.getByRole('button', { name: 'Sign in' }).click();
      }
      await page.getByRole('heading', { name: 'My second factors' }).waitFor();
    },
    async close() {
      await context.close();
      await fake.close();
      openFakes.delete(fake);
      assert.deepEqual(faults, []);
    },
  };
}

export interface VirtualKey {
  readonly id: string;
  readonly cdp: CDPSession;
  /** Whether somebody touches it. */
  touched(touched: boolean): Promise<void>;
}

/** The same security key at another tab too: Chromium's own belong to one. */
export async function copyKey(from: VirtualKey, to: Page): Promise<VirtualKey> {
  const { credentials } = await from.cdp.send('WebAuthn.getCredentials', { authenticatorId: from.id });
  const key = await plugIn(to);
  for (const credential of credentials)
    await key.cdp.send('WebAuthn.addCredential', { authenticatorId: key.id, credential });
  return key;
}

/** `u2f`: one that knows nothing newer. */
export type KeyKind = 'usb' | 'internal' | 'u2f';

/** A security key of Chromium's own, over the DevTools protocol. */
export async function plugIn(page: Page, kind: KeyKind = 'usb'): Promise<VirtualKey> {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('WebAuthn.enable');
  const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: kind === 'u2f' ? 'u2f' : 'ctap2',
      transport: kind === 'internal' ? 'internal' : 'usb',
      hasResidentKey: kind === 'internal',
      hasUserVerification: kind === 'internal',
      isUserVerified: kind === 'internal',
      automaticPresenceSimulation: true,
    },
  });
  return {
    id: authenticatorId,
    cdp,
    async touched(enabled) {
      await cdp.send('WebAuthn.setAutomaticPresenceSimulation', { authenticatorId, enabled });
    },
  };
}

const axe = readFileSync(join(projectRoot, 'node_modules/axe-core/axe.min.js'), 'utf8');

/** What axe-core finds that keeps somebody out, one line each. */
export async function obstacles(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe);
  return await page.evaluate(async () => {
    const { run } = (globalThis as unknown as { axe: { run(): Promise<AxeResults> } }).axe;
    const { violations } = await run();
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html}`));
  });
}

interface AxeResults {
  readonly violations: readonly {
    readonly id: string;
    readonly impact: string;
    readonly nodes: readonly { readonly html: string }[];
  }[];
}

/** Opens a menu and chooses. */
export async function choose(page: Page, menu: string, item: string): Promise<void> {
  await page.getByRole('button', { name: menu, exact: true }).click();
  await page.getByRole('menuitem', { name: item }).click();
}

/** What of a browser the functions below use, which run in the page: the tests know no DOM otherwise. */
declare function addEventListener(
  name: string,
  heard: (event: { readonly violatedDirective: string; readonly blockedURI: string }) => void,
): void;
declare function getComputedStyle(node: unknown): { getPropertyValue(name: string): string };

/** What was copied last. Read off the call, since the portal's own headers let no page read the clipboard. */
export const clipboard = (page: Page): Promise<string> => page.evaluate('globalThis.copied');

const noteCopies = `
  const write = navigator.clipboard.writeText.bind(navigator.clipboard);
  navigator.clipboard.writeText = async (text) => {
    await write(text);
    globalThis.copied = text;
  };
`;

/** The label of the field, or the words of the button, that has the focus. */
export const focused = (page: Page): Promise<string> =>
  page.evaluate('(document.activeElement.labels?.[0] ?? document.activeElement).textContent');

/** Waits until this has the focus: pages move it after they have drawn. */
export async function focusIs(page: Page, text: string): Promise<void> {
  await until(async () => (await focused(page)) === text, 60_000).catch(() => undefined);
  assert.equal(await focused(page), text);
}

export const styleOf = (at: Locator, property: string): Promise<string> =>
  at.evaluate((node, name) => getComputedStyle(node).getPropertyValue(name), property);
