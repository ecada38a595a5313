import { type ChildProcess, spawn } from 'node:child_process';
import { openSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { plugIn, type VirtualKey } from '../portal-browser.ts';
import { until } from './commands.ts';
import { built } from './layout.ts';
import { work } from './machine.ts';
import { password } from './people.ts';
import type { Product } from './product.ts';

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
  await until('the portal listens', () => listens(), 20_000);
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

export function startChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: '/usr/bin/chromium',
    headless: true,
    env: { ...process.env, HOME: work, XDG_CONFIG_HOME: work, XDG_CACHE_HOME: work },
  });
}

/** A person's own browser: cookies and a security key. */
export class Desk {
  readonly page: Page;
  readonly key: VirtualKey;

  private constructor(page: Page, key: VirtualKey) {
    this.page = page;
    this.key = key;
  }

  static async open(browser: Browser): Promise<Desk> {
    const context = await browser.newContext({ locale: 'en-GB' });
    context.setDefaultTimeout(15_000);
    const page = await context.newPage();
    await page.goto(`${portalOrigin}/sign-in`);
    return new Desk(page, await plugIn(page));
  }

  async signIn(user: string, answer?: string): Promise<void> {
    const { page } = this;
    await page.goto(`${portalOrigin}/sign-in`);
    await page.getByLabel('Account name').fill(user);
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Sign in' }).click();
    if (answer !== undefined) {
      await page.getByLabel(/code|key/).fill(answer);
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

  close(): Promise<void> {
    return this.page.context().close();
  }
}
