import { chownSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { decodeBase32 } from '../../../daemon/factors/encodings/base32.ts';
import { hotp, totp } from '../codes.ts';
import { addPerson, as, type Person, password } from '../rig/people.ts';
import { portalOrigin, portalPort } from '../rig/portal.ts';
import type { Product } from '../rig/product.ts';
import { authorizeKey, ssh } from '../rig/ssh.ts';
import { useSnippet } from '../rig/stack.ts';
import { Terminal } from '../rig/terminal.ts';
import { expectationOf } from './expectation.ts';
import type { Row } from './table.ts';

/** Where each way in over ssh is set up. */
export const ways = {
  'ssh two prompts': { port: 2261, dropIn: 'sallyport-password-code.conf', snippet: 'sallyport-sshd' },
  'ssh one prompt': { port: 2262, dropIn: 'sallyport-one-prompt.conf', snippet: 'sallyport-one-prompt' },
  'ssh key and code': { port: 2263, dropIn: 'sallyport-key-code.conf', snippet: 'sallyport-sshd-key' },
} as const;

/** The realm of a row has the account of that row as its only member. */
export function realmText(user: string, { realm }: Row): string {
  const require = { 'requires nothing': 'none' }[realm as 'requires nothing'] ?? 'totp';
  const enrol = { grace: 'grace', 'at-login': 'at-login' }[realm as 'grace' | 'at-login'] ?? 'refuse';
  const action = { skips: 'skip', refuses: 'refuse' }[realm as 'skips' | 'refuses'];
  return [
    `[[realm]]\nname = "${user}"\nmembers = { users = ["${user}"] }\nrequire = "${require}"`,
    `enrol = "${enrol}"${enrol === 'grace' ? '\ngrace = "2h"' : ''}`,
    ...(realm === 'observes' ? ['observe = true'] : []),
    'lockout = { max_code_failures = 3, max_failures = 100, duration = "1h" }',
    ...(action === undefined ? [] : [`[[realm.rule]]\naction = "${action}"`]),
    '',
  ].join('\n');
}

export interface Prepared {
  readonly person: Person;
  /** What the person can answer now. */
  readonly answer: () => string;
}

/** The account as the row has it. */
export async function prepareAccount(product: Product, user: string, { account }: Row): Promise<Prepared> {
  const person = addPerson(user);
  authorizeKey(person);
  switch (account) {
    case 'no factor':
      return { person, answer: () => '123456' };
    case 'recovery keys only': {
      const [key = ''] = await product.addRecovery(user);
      return { person, answer: () => key };
    }
    case 'bypass code': {
      const said = (await product.json(['factor', 'add', 'bypass', user])) as { bypassCode: string };
      return { person, answer: () => said.bypassCode.replaceAll(' ', '') };
    }
    case 'hotp': {
      const token = await product.addHotp(user);
      return { person, answer: () => hotp(token, 0) };
    }
    default: {
      const secret = await product.addTotp(user);
      await arrange(product, person, account);
      return { person, answer: () => totp(secret) };
    }
  }
}

async function arrange(product: Product, person: Person, account: Row['account']): Promise<void> {
  const { name } = person;
  if (account === 'exempt') await product.must(['user', 'exempt', name, '--for', '1h']);
  if (account === 'codes locked')
    for (const code of ['000001', '000002', '000003']) await product.cli(['verify', name], `${code}\n`);
  if (account === 'disabled')
    await product.must(['factor', 'disable', name, await firstFactor(product, name), '--yes']);
  if (account !== 'another uid') return;
  const uid = person.uid + 20_000;
  const text = readFileSync('/etc/passwd', 'utf8');
  writeFileSync('/etc/passwd', text.replace(`${name}:x:${person.uid}:`, `${name}:x:${uid}:`));
  for (const path of [person.home, `${person.home}/.ssh`, `${person.home}/.ssh/authorized_keys`])
    chownSync(path, uid, person.uid);
}

async function factorsOf(product: Product, user: string): Promise<readonly { id: string; kind: string }[]> {
  const shown = (await product.json(['user', 'show', user])) as { factors: { id: string; kind: string }[] };
  return shown.factors.filter(({ kind }) => kind !== 'bypass');
}

const firstFactor = async (product: Product, user: string): Promise<string> =>
  (await factorsOf(product, user))[0]?.id ?? '';

/** What the administrator does while the person is at the prompt. */
export async function happens(
  product: Product,
  user: string,
  { meanwhile }: Row,
  realms: string,
): Promise<void> {
  switch (meanwhile) {
    case 'nothing':
      return;
    case 'reload':
      await product.must(['reload', '--yes']);
      return;
    case 'bad reload':
      product.writeRealms('[[realm]]\nname = 7\n');
      await product.cli(['reload', '--yes']);
      product.writeRealms(realms);
      return;
    case 'restart':
      await product.stop();
      await product.start();
      return;
    case 'removal':
      // Of a record of another uid nothing can be removed.
      for (const { id } of (await factorsOf(product, user)).slice(0, 1))
        await product.cli(['factor', 'remove', user, id, '--yes']);
      return;
    case 'unlock':
      await product.cli(['user', 'unlock', user]);
      return;
    case 'backup':
      await product.cli([
        'backup',
        `/run/rig/backup-${user}`,
        '--passphrase-file',
        '/run/rig/passphrase',
        '--yes',
      ]);
      return;
  }
}

export interface Seen {
  readonly isIn: boolean;
  readonly asked: boolean;
  readonly transcript: string;
}

type Meanwhile = () => Promise<void>;

/** One login, from the first prompt to the shell or the refusal. */
export function logIn(
  row: Row,
  caller: Person,
  { person, answer }: Prepared,
  meanwhile: Meanwhile,
): Promise<Seen> {
  const { name } = person;
  const mark = `echo "in-$(id -un)"`;
  switch (row.way) {
    case 'portal':
      return atPortal(name, answer, meanwhile);
    case 'su':
      return atTerminal(new Terminal([...as(caller), 'su', name, '-c', mark]), name, true, answer, meanwhile);
    case 'ssh two prompts':
    case 'ssh one prompt':
    case 'ssh key and code': {
      const { port, snippet } = ways[row.way];
      useSnippet('sshd', snippet);
      const key = row.way === 'ssh key and code';
      const options = ['NumberOfPasswordPrompts=1'];
      const terminal = new Terminal(ssh(name, { port, key, options }, [mark]));
      if (row.way === 'ssh one prompt')
        return inOneAnswer(terminal, name, expectationOf(row).asks, answer, meanwhile);
      return atTerminal(terminal, name, !key, answer, meanwhile);
    }
  }
}

/** Where no code is asked for, the password is all that is typed. */
async function inOneAnswer(
  terminal: Terminal,
  name: string,
  isAsked: boolean,
  answer: () => string,
  meanwhile: Meanwhile,
): Promise<Seen> {
  await terminal.expect(/assword: ?$/);
  await meanwhile();
  terminal.send(`${password}${isAsked ? answer() : ''}\r`);
  await Promise.race([terminal.ended(), terminal.expect(asksByItself).catch(() => undefined)]);
  return { asked: isAsked, ...(await hungUp(terminal, name)) };
}

/** After MAXTRIES OpenSSH's client asks for a password once more, which gets nobody in. */
const asksByItself = /'s password: ?$/;

async function hungUp(terminal: Terminal, name: string): Promise<{ isIn: boolean; transcript: string }> {
  await terminal.hangUp();
  const { transcript } = terminal;
  return { isIn: new RegExp(`in-${name}`).test(transcript), transcript };
}

/** Password first, if it is asked; then whatever is asked, or the end. */
async function atTerminal(
  terminal: Terminal,
  name: string,
  withPassword: boolean,
  answer: () => string,
  meanwhile: Meanwhile,
): Promise<Seen> {
  if (withPassword) await terminal.answer(/Password: ?$/, password);
  const asks = /(?:code|key|factor|code behind your password): ?$/;
  if (!(await meets(terminal, asks))) return { asked: false, ...(await hungUp(terminal, name)) };
  const [, secret] = /Type in: ([A-Z2-7 ]+)/.exec(terminal.transcript) ?? [];
  if (secret === undefined) {
    await meanwhile();
    terminal.send(`${answer()}\r`);
  } else {
    terminal.send(`${totp(decodeBase32(secret))}\r`);
    await terminal.answer(/Type "yes" once you have stored them: /, 'yes');
  }
  // A further prompt is not answered: the right answer was refused.
  await meets(terminal, asks);
  return { asked: true, ...(await hungUp(terminal, name)) };
}

/** @returns false: the program ended, or asks for what is not ours, without this prompt */
async function meets(terminal: Terminal, asks: RegExp): Promise<boolean> {
  const either = new RegExp(`${asks.source}|${asksByItself.source}`);
  const prompt = terminal.expect(either).then(
    ([found]) => asks.test(found) && !asksByItself.test(found),
    () => false,
  );
  return Promise.race([prompt, terminal.ended().then(() => false)]);
}

async function atPortal(name: string, answer: () => string, meanwhile: Meanwhile): Promise<Seen> {
  const first = await post('/api/sign-in', { by: 'password', user: name, password });
  const { id, step } = first as { id?: string; step?: { kind: string } };
  if (step?.kind !== 'factor' || id === undefined)
    return { asked: false, isIn: step?.kind === 'done', transcript: JSON.stringify(first) };
  await meanwhile();
  const then = await post(`/api/sign-in/${id}`, { kind: 'typed', answer: answer() });
  const { step: last } = then as { step?: { kind: string } };
  return { asked: true, isIn: last?.kind === 'done', transcript: JSON.stringify([first, then]) };
}

let lastAddress = 10;

/** Each request comes from an address of its own: how often one may try is not what is tried here. */
function post(path: string, body: object): Promise<unknown> {
  lastAddress += 1;
  const text = JSON.stringify(body);
  const headers = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    origin: portalOrigin,
    host: new URL(portalOrigin).host,
  };
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        host: '127.0.0.1',
        port: portalPort,
        localAddress: `127.0.0.${lastAddress}`,
        path,
        method: 'POST',
        headers,
      },
      (answer) => {
        let said = '';
        answer.setEncoding('utf8').on('data', (chunk: string) => {
          said += chunk;
        });
        answer.on('end', () => resolve(JSON.parse(said)));
        answer.on('error', reject);
      },
    );
    asked.on('error', reject);
    asked.end(text);
  });
}
