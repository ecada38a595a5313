import assert from 'node:assert/strict';
import { createClient } from '../../daemon/client/client.ts';
import { hotp, totp, wrongHotp } from './codes.ts';
import { addPerson, password } from './rig/people.ts';
import { controlSocket, type Product } from './rig/product.ts';
import { staffAndRest } from './rig/realms.ts';
import { prepare, scenario } from './rig/scenario.ts';
import { makeSshKeys, ssh, startSshd } from './rig/ssh.ts';
import { moduleLine, useSnippet, writeStack } from './rig/stack.ts';
import { Terminal } from './rig/terminal.ts';
import { criticalDistance, distance } from './two-samples.ts';

/**
 * Names that are accounts and names that are not, through a real sshd: what is asked, how often and
 * how soon must not tell the two apart. How soon takes many tries, which test/long has the time for.
 */

const port = 2205;

interface Name {
  readonly name: string;
  readonly exists: boolean;
  /** Each comes from an address of its own: what is compared is not the rate limiter of one source. */
  readonly from: string;
}

/** The code stands before the password: whoever reaches the module has proven nothing. */
const codeFirst = [
  `auth requisite ${moduleLine()}`,
  'auth requisite pam_unix.so nodelay',
  'auth required pam_permit.so',
];

/** Every second account has a factor; one without must not show either. */
async function makeNames(product: Product, count: number): Promise<Name[]> {
  const names: Name[] = [];
  for (let each = 0; each < count; each += 1) {
    const from = `127.1.${Math.floor(each / 100)}`;
    const account = addPerson(`person${each}`).name;
    if (each % 2 === 0) await product.addTotp(account);
    names.push({ name: account, exists: true, from: `${from}.${(each % 100) + 1}` });
    names.push({ name: `nobody${each}`, exists: false, from: `${from}.${(each % 100) + 101}` });
  }
  return names;
}

/** Two tries in one connection. @returns milliseconds from each answer to what follows it */
async function tryTwice({ name, from }: Name, prompt: RegExp, answers: readonly string[]): Promise<number[]> {
  const terminal = new Terminal(ssh(name, { port, from, options: ['NumberOfPasswordPrompts=2'] }, ['true']));
  const times: number[] = [];
  await terminal.expect(prompt);
  for (const [index, answer] of answers.entries()) {
    const start = performance.now();
    terminal.send(`${answer}\r`);
    if (index < answers.length - 1) await terminal.expect(prompt);
    else await terminal.expect(/Permission denied/);
    times.push(performance.now() - start);
  }
  assert.equal(await terminal.ended(), 255);
  return times;
}

/** Accounts and other names in turn, four at a time, so that both meet the same machine. @returns how far apart */
async function measure(
  names: readonly Name[],
  prompt: RegExp,
  answers: readonly string[],
): Promise<Measured> {
  const accounts: number[] = [];
  const others: number[] = [];
  const waiting = [...names];
  const work = async (): Promise<void> => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift())
      (name.exists ? accounts : others).push(...(await tryTwice(name, prompt, answers)));
  };
  await Promise.all(Array.from({ length: 4 }, work));
  return {
    distance: distance(accounts, others),
    critical: criticalDistance(accounts.length, others.length),
  };
}

interface Measured {
  readonly distance: number;
  readonly critical: number;
}

/** What a busy machine adds comes and goes; what tells names apart is there each time. */
async function compare(
  names: readonly Name[],
  prompt: RegExp,
  answers: readonly string[],
  timed: boolean,
): Promise<void> {
  const seen: Measured[] = [];
  while (seen.length < 3) {
    const measured = await measure(names, prompt, answers);
    if (!timed || measured.distance < measured.critical) return;
    seen.push(measured);
  }
  assert.fail(`the times of accounts and of other names differ, three times: ${JSON.stringify(seen)}`);
}

/** @param count accounts, and as many other names; @param timed whether the times are compared too */
export async function unverifiedScenarios(count: number, timed = false): Promise<void> {
  const product = await prepare(staffAndRest);
  makeSshKeys();
  await startSshd(port, 'sallyport-password-code.conf');
  const names = await makeNames(product, count);
  // Three measurements at the most, of two tries for each name.
  const timeout = 60_000 + count * 12_000;

  scenario(
    product,
    `password first: ${count} accounts and ${count} other names look alike`,
    async () => {
      useSnippet('sshd', 'sallyport-sshd');
      await compare(names, /Password: /, ['wrong-password', 'another-one'], timed);
    },
    timeout,
  );

  scenario(
    product,
    `code first: ${count} accounts and ${count} other names look alike`,
    async () => {
      writeStack('sallyport-code-first', codeFirst);
      useSnippet('sshd', 'sallyport-code-first');
      await compare(names, /Second factor: /, ['123456', '234567'], timed);
      await compare(names.slice(0, 12), /Second factor: /, ['no code at all', 'neither is this'], timed);
    },
    timeout,
  );

  scenario(product, 'failures that are not proven lock nothing and are kept for nobody', async () => {
    // Over the socket: the start of a program for each of hundreds takes minutes on a busy machine.
    const client = createClient({ socket: controlSocket });
    for (const { name, exists } of names)
      if (exists) assert.deepEqual((await client.user(name)).lock, { codes: 0, any: 0 });
    assert.equal((await product.cli(['user', 'show', 'nobody0', '--json'])).status, 3);
  });

  scenario(product, 'code first: the right code and the right password let in', async () => {
    addPerson('alice');
    const secret = await product.addHotp('alice');
    const terminal = new Terminal(ssh('alice', { port, from: '127.2.0.1' }, ['echo "in-$(id -un)"']));
    await terminal.answer(/Second factor: /, wrongHotp(secret, 0));
    await terminal.answer(/Second factor: /, hotp(secret, 0));
    await terminal.answer(/Password: /, password);
    await terminal.expect(/in-alice/);
  });

  scenario(product, 'code first: a right code is spent, whatever the password was', async () => {
    addPerson('bob');
    const secret = await product.addTotp('bob');
    const code = totp(secret);
    for (const guess of ['wrong', password]) {
      const terminal = new Terminal(
        ssh('bob', { port, from: '127.2.0.2', options: ['NumberOfPasswordPrompts=1'] }, ['true']),
      );
      await terminal.answer(/Second factor: /, code);
      if (guess === 'wrong') await terminal.answer(/Password: /, guess);
      assert.equal(await terminal.ended(), 255);
    }
  });

  scenario(product, 'code first: where nothing is needed any answer will do', async () => {
    addPerson('carol', 4000);
    const terminal = new Terminal(ssh('carol', { port, from: '127.2.0.3' }, ['echo "in-$(id -un)"']));
    await terminal.answer(/Second factor: /, '000000');
    await terminal.answer(/Password: /, password);
    await terminal.expect(/in-carol/);
  });
}
