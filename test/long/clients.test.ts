import assert from 'node:assert/strict';
import { chownSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { clients, prepareClients, proof, type Stack, stacks, user } from '../support/clients.ts';
import { hotp } from '../support/codes.ts';
import { must } from '../support/rig/commands.ts';
import { repository } from '../support/rig/layout.ts';
import { inNamespace } from '../support/rig/namespace.ts';
import { addPerson } from '../support/rig/people.ts';
import { prepare, scenario } from '../support/rig/scenario.ts';
import { authorizeKey, makeSshKeys, startSshd } from '../support/rig/ssh.ts';
import { useSnippet } from '../support/rig/stack.ts';

/**
 * Which programs can log in over ssh with which stack: each cell of the table in docs/reference/clients.md is tested.
 */
const realms = `
[[realm]]
name = "staff"
require = "any"
`;
const setUp: Readonly<
  Record<Stack, { readonly snippet: string; readonly dropIn: string; readonly port: number }>
> = {
  'two prompts': { snippet: 'sallyport-sshd', dropIn: 'sallyport-password-code.conf', port: 2251 },
  'one prompt': { snippet: 'sallyport-one-prompt', dropIn: 'sallyport-one-prompt.conf', port: 2252 },
  'key and code': { snippet: 'sallyport-sshd-key', dropIn: 'sallyport-key-code.conf', port: 2253 },
};

/** "yes" or "no" by program and stack. */
function tableOf(page: string): ReadonlyMap<string, string> {
  const cells = new Map<string, string>();
  for (const line of page.split('\n')) {
    const [, name = '', ...answers] = line.split('|').map((cell) => cell.trim());
    stacks.forEach((stack, at) => {
      cells.set(`${name}: ${stack}`, answers[at] ?? '');
    });
  }
  return cells;
}

await inNamespace(import.meta.filename, async () => {
  const documented = tableOf(readFileSync(join(repository, 'docs/reference/clients.md'), 'utf8'));
  const product = await prepare(realms);
  const person = addPerson(user);
  writeFileSync(join(person.home, proof.name), `${proof.text}\n`);
  chownSync(join(person.home, proof.name), person.uid, person.uid);
  makeSshKeys();
  authorizeKey(person);
  must('mknod', ['/dev/fuse', 'c', '10', '229']);
  const token = await product.addHotp(user);
  let counter = 0;
  const code = (): string => {
    counter += 1;
    return hotp(token, counter - 1);
  };
  prepareClients();
  for (const stack of stacks) await startSshd(setUp[stack].port, setUp[stack].dropIn);

  for (const stack of stacks)
    for (const client of clients.filter((each) => each.stacks.includes(stack)))
      scenario(product, `${client.name}: ${stack}`, async () => {
        useSnippet('sshd', setUp[stack].snippet);
        await product.must(['user', 'unlock', user]);
        const { port } = setUp[stack];
        const said = await client.attempt({ stack, port, code }).catch((error: unknown) => String(error));
        const isIn = said.includes(proof.text);
        assert.equal(isIn ? 'yes' : 'no', documented.get(`${client.name}: ${stack}`), said);
      });
});
