import { type ChildProcess, spawn } from 'node:child_process';
import { openSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after } from 'node:test';
import { type Browser, chromium, type Page } from 'playwright-core';
import { copyKey, type KeyKind, plugIn, type VirtualKey } from '../portal-browser.ts';
import { until } from './commands.ts';
import { built } from './layout.ts';
import { work } from './machine.ts';
import { password } from './people.ts';
import type { Product } from './product.ts';
import type { Terminal } from './terminal.ts';

/** The portal of this build in the namespace, and a real browser that is on it. */

export const portalPort = 8870;
export const portalOrigin = `http://localhost:${portalPort}`;
const log = `${work}/portal.log`;

/** In front of the realms. */
export const portalTables = `
[webauthn]
rp_id = "localhost"

[portal]
origins = ["${portalOrigin}"]
listen = "127.0.0.1:${portalPort}"
`;

export async function startPortal(product: Product): Promise<ChildProcess> {
  const out = openSync(log, 'a');
  const portal = spawn(process.execPath, [join(built, 'portal/main.js'), '--config', product.config], {
    stdio: ['ignore', out, out],
  });
  portal.unref();
  await until('the portal listens', () => listens(), 60_000);
  return portal;
}

export const portalLog = (): string => readFileSync(log, 'utf8');

function listens(): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port: portalPort }, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

/** The portal and a browser for the tests of a file; both end before sallyportd does. */
export async function openPortal(
  product: Product,
  browserArguments: readonly string[] = [],
): Promise<Browser> {
  const portal = await startPortal(product);
  const browser = await startChromium(browserArguments);
  after(async () => {
    await browser.close();
    portal.kill('SIGTERM');
    await product.stop();
  });
  return browser;
}

function startChromium(args: readonly string[] = []): Promise<Browser> {
  return chromium.launch({
    executablePath: '/usr/bin/chromium',
    headless: true,
    args: [...args],
    env: { ...process.env, HOME: work, XDG_CONFIG_HOME: work, XDG_CACHE_HOME: work },
  });
}

/** What a browser of a test differs in. */
export interface ServerContextOptions {
  readonly origin?: string;
  readonly kind?: KeyKind;
  /** The only one that the key can, as COSE numbers it. */
  readonly algorithm?: number;
}

const onlyThis = (algorithm: number): string => `
  const create = navigator.credentials.create.bind(navigator.credentials);
  navigator.credentials.create = (options) => {
    const { publicKey } = options;
    publicKey.pubKeyCredParams = publicKey.pubKeyCredParams.filter(({ alg }) => alg === ${algorithm});
    return create(options);
  };
`;

/** A person's own browser: cookies and a security key. */
export class ServerContext {
  readonly page: Page;
  readonly key: VirtualKey;

  readonly origin: string;

  private constructor(page: Page, key: VirtualKey, origin: string) {
    this.page = page;
    this.key = key;
    this.origin = origin;
  }

  static async open(browser: Browser, options: ServerContextOptions = {}): Promise<ServerContext> {
    const { origin = portalOrigin, kind = 'usb', algorithm } = options;
    const context = await browser.newContext({ locale: 'en-GB' });
    context.setDefaultTimeout(15_000);
    const page = await context.newPage();
    if (algorithm !== undefined) await page.addInitScript(onlyThis(algorithm));
    await page.goto(`${origin}/sign-in`);
    return new ServerContext(page, await plugIn(page, kind), origin);
  }

  /** Account name and password, and no further. */
  async begin(user: string): Promise<void> {
    const { page } = this;
    await page.goto(`${this.origin}/sign-in`);
    await page.getByLabel('Account name').fill(user);
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Sign in' }).click();
  }

  async signIn(user: string, answer?: string): Promise<void> {
    const { page } = this;
    await this.begin(user);
    if (answer !== undefined) {
      const field = page.getByLabel(/code|key/);
      const key = page.getByRole('button', { name: 'Use security key' });
      await field.or(key).first().waitFor();
      if (await key.isVisible()) {
        await page.getByRole('button', { name: 'Other ways' }).click();
        await page.locator('.other-ways .button').first().click();
      }
      await field.fill(answer);
      await page.getByRole('button', { name: 'Sign in' }).click();
    }
    await page.getByRole('heading', { name: 'My second factors' }).waitFor();
  }

  /** By the dialog, with a touch that Chromium makes itself. */
  async addKey(name: string): Promise<void> {
    const { page } = this;
    await page.getByRole('button', { name: 'Add', exact: true }).first().click();
    await page.getByRole('menuitem', { name: 'Security key' }).click();
    await page.getByRole('textbox', { name: 'Name' }).fill(name);
    await page.getByRole('button', { name: 'Add', exact: true }).last().click();
    await page.getByRole('button', { name: 'Not now' }).click();
    await page.getByText(name).first().waitFor();
  }

  async signInByKey(user: string): Promise<void> {
    await this.begin(user);
    await this.page.getByRole('button', { name: /security key/i }).click();
    await this.page.getByRole('heading', { name: 'My second factors' }).waitFor();
  }

  async signOut(user: string): Promise<void> {
    const { page } = this;
    await page.goto(this.origin);
    await page.getByRole('button', { name: user, exact: true }).click();
    await page.getByRole('menuitem', { name: 'Sign out' }).click();
    await page.getByLabel('Account name').waitFor();
  }

  /** Another tab of the same browser, with the same key. */
  async tab(): Promise<ServerContext> {
    const page = await this.page.context().newPage();
    return new ServerContext(page, await copyKey(this.key, page), this.origin);
  }

  close(): Promise<void> {
    return this.page.context().close();
  }
}

/** What stands in front of a prompt that a browser can approve. */
export async function approvalOn(terminal: Terminal): Promise<{ link: string; number: string }> {
  const [, link = ''] = await terminal.expect(/open (https?:\S+\/approve#\w{16})/);
  const [, number = ''] = await terminal.expect(/compare the number: (\d\d)/);
  return { link, number };
}

/** On the page that the link leads to. */
export async function approve(context: ServerContext, link: string): Promise<void> {
  await context.page.goto(link);
  await context.page.getByRole('button', { name: 'Approve with security key' }).click();
}
