import assert from 'node:assert/strict';
import { hotp, totp } from '../support/codes.ts';
import { run } from '../support/rig/commands.ts';
import { inNamespace } from '../support/rig/namespace.ts';
import { addPerson, as, type Person, password } from '../support/rig/people.ts';
import { prepare, scenario } from '../support/rig/scenario.ts';
import { useSnippet } from '../support/rig/stack.ts';
import { Terminal } from '../support/rig/terminal.ts';

/** su, with the stack of pam-config: the target's realm decides whose factor is asked for. */
const realms = `
[[realm]]
name = "by-target"
members = { uids = ["3000-3999"] }
require = "any"
su = "target"

[[realm]]
name = "by-caller"
members = { uids = ["4000-4999"] }
require = "any"
su = "caller"

[[realm]]
name = "rest"
require = "none"
`;

const su = (caller: Person, target: string, ...options: string[]): string[] => [
  ...[...as(caller), 'su', ...options, target, '-c', 'echo "in-$(id -un)"'],
];

await inNamespace(import.meta.filename, async () => {
  const product = await prepare(realms);
  useSnippet('su', 'sallyport-su');

  scenario(product, 'target: the code of the account that su changes to', async () => {
    const alice = addPerson('alice');
    addPerson('bob');
    const callers = await product.addHotp('alice');
    const targets = await product.addHotp('bob');
    const terminal = new Terminal(su(alice, 'bob'));
    await terminal.answer(/Password: /, password);
    await terminal.answer(/code: /, hotp(callers, 0));
    await terminal.expect(/Incorrect code/);
    await terminal.answer(/code: /, hotp(targets, 0));
    await terminal.expect(/in-bob/);
    assert.equal(await terminal.ended(), 0);
    await product.must(['verify', 'alice'], `${hotp(callers, 0)}\n`);
  });

  scenario(product, 'caller: the code of the caller of su', async () => {
    const carol = addPerson('carol');
    addPerson('oper', 4000);
    const callers = await product.addHotp('carol');
    const targets = await product.addHotp('oper');
    const terminal = new Terminal(su(carol, 'oper'));
    await terminal.answer(/Password: /, password);
    await terminal.answer(/code: /, hotp(targets, 0));
    await terminal.expect(/Incorrect code/);
    await terminal.answer(/code: /, hotp(callers, 0));
    await terminal.expect(/in-oper/);
    assert.equal(await terminal.ended(), 0);
    await product.must(['verify', 'oper'], `${hotp(targets, 0)}\n`);
  });

  scenario(product, 'caller: a caller without a factor is refused, whatever the target has', async () => {
    const erin = addPerson('erin');
    addPerson('chief', 4001);
    await product.addTotp('chief');
    const terminal = new Terminal(su(erin, 'chief'));
    await terminal.answer(/Password: /, password);
    assert.notEqual(await terminal.ended(), 0);
    assert.doesNotMatch(terminal.transcript, /in-chief/);
  });

  scenario(product, 'su - uses the same stack', async () => {
    const frank = addPerson('frank');
    addPerson('grace');
    const secret = await product.addTotp('grace');
    const terminal = new Terminal(su(frank, 'grace', '-'));
    await terminal.answer(/Password: /, password);
    await terminal.answer(/code: /, totp(secret));
    await terminal.expect(/in-grace/);
    assert.equal((await product.events('grace')).at(-1)?.service, 'su-l');
  });

  scenario(product, 'root is never asked, with or without the daemon', async () => {
    addPerson('heidi');
    await product.addTotp('heidi');
    const asRoot = ['heidi', '-c', 'echo "in-$(id -un)"'];
    assert.equal((await run('su', asRoot)).stdout, 'in-heidi\n');
    await product.stop();
    assert.equal((await run('su', asRoot)).stdout, 'in-heidi\n');
    await product.start();
  });
});
