import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { must } from './commands.ts';
import { repository, shippedModule } from './layout.ts';
import { markSyslog, prepareMachine, syslog, withoutFailDelay, work } from './machine.ts';
import { Product } from './product.ts';
import { installSnippets } from './stack.ts';
import { hangUpAll } from './terminal.ts';

export const pamApp = `${work}/pam_app`;

/** A machine of its own with Sallyport on it: the snippets installed, sallyportd laid out and up. */
export async function prepare(realms: string): Promise<Product> {
  await prepareStacks(shippedModule);
  const product = await Product.init(realms);
  await product.start();
  return product;
}

/** The machine and its PAM stacks, with this module in them. */
export async function prepareStacks(module: string): Promise<void> {
  await prepareMachine();
  withoutFailDelay();
  must('cc', ['-O1', '-o', pamApp, `${repository}/test/native/pam_app.c`, '-lpam']);
  installSnippets(module);
}

/** A test whose failure shows what the programs and the daemon have logged meanwhile. */
export function scenario(product: Product, name: string, body: () => Promise<void>, timeout = 120_000): void {
  test(name, { timeout }, async () => {
    const mark = `${name} ${Date.now()}`;
    markSyslog(mark);
    const logged = product.log().length;
    try {
      await body();
    } catch (error) {
      const evidence = [
        ...['--- syslog', syslog().split(`--- ${mark}\n`)[1] ?? ''],
        ...['--- sallyportd', product.log().slice(logged)],
        ...[
          '--- sshd',
          existsSync(`${work}/sshd.log`) ? readFileSync(`${work}/sshd.log`, 'utf8').slice(-4000) : '',
        ],
      ].join('\n');
      if (error instanceof Error) error.message += `\n${evidence}`;
      throw error;
    } finally {
      await hangUpAll();
    }
  });
}
