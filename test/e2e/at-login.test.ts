import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { decodeBase32 } from '../../daemon/factors/encodings/base32.ts';
import { totp } from '../support/codes.ts';
import { inNamespace } from '../support/rig/namespace.ts';
import { addPerson, allowSudo, as, password } from '../support/rig/people.ts';
import { prepare, scenario } from '../support/rig/scenario.ts';
import { makeSshKeys, ssh, startSshd } from '../support/rig/ssh.ts';
import { useSnippet } from '../support/rig/stack.ts';
import { sudoFlush, Terminal } from '../support/rig/terminal.ts';

/** Enrolment of a first factor during login, over a real ssh and in a real sudo. */
const realms = `
[[realm]]
name = "staff"
members = { uids = ["3000-3999"] }
require = "totp"
enrol = "at-login"

[[realm]]
name = "rest"
require = "none"
`;
const port = 2209;
const whoami = ['echo "in-$(id -un)"'];
const secretShown = /Type in: ([A-Z2-7 ]+)/;

await inNamespace(import.meta.filename, async () => {
  const product = await prepare(realms);
  useSnippet('sshd', 'sallyport-sshd');
  useSnippet('sudo', 'sallyport-sudo');
  allowSudo();
  makeSshKeys();
  await startSshd(port, 'sallyport-password-code.conf');
  const connect = (user: string): Terminal => new Terminal(ssh(user, { port }, whoami));
  const kindsOf = async (user: string) => {
    const { factors } = (await product.json(['user', 'show', user])) as { factors: { kind: string }[] };
    return factors.map(({ kind }) => kind);
  };
  const secretOn = async (terminal: Terminal): Promise<Buffer> => {
    await terminal.expect(/[█▀▄]{20}/);
    const [, secret = ''] = await terminal.expect(secretShown);
    return decodeBase32(secret);
  };

  scenario(product, 'over ssh: QR code, code, recovery keys, confirmation, then logged in', async () => {
    addPerson('alice');
    const terminal = connect('alice');
    await terminal.answer(/Password: /, password);
    const secret = await secretOn(terminal);
    const at = Date.now();
    await terminal.answer(/Verification code: /, totp(secret, { at }));
    const [key = ''] = await terminal.expect(/[a-z2-9]{5}(?:-[a-z2-9]{5}){3}/);
    await terminal.answer(/Type "yes" once you have stored them: /, 'yes');
    await terminal.expect(/in-alice/);
    assert.equal(await terminal.ended(), 0);
    assert.deepEqual(await kindsOf('alice'), ['totp', 'recovery']);

    const second = connect('alice');
    await second.answer(/Password: /, password);
    await second.answer(/Verification code or recovery key: /, totp(secret, { at }));
    await second.expect(/already used/);
    await second.answer(/recovery key: /, key);
    await second.expect(/in-alice/);
    assert.doesNotMatch(product.log(), new RegExp(key));
  });

  scenario(
    product,
    'interrupted before the confirmation: nothing is enrolled, and the login fails',
    async () => {
      addPerson('bob');
      const first = connect('bob');
      await first.answer(/Password: /, password);
      const secret = await secretOn(first);
      await first.hangUp();
      const second = connect('bob');
      await second.answer(/Password: /, password);
      const another = await secretOn(second);
      assert.notDeepEqual(another, secret);
      await second.answer(/Verification code: /, totp(another));
      await second.expect(/Type "yes"/);
      await second.hangUp();
      assert.deepEqual(await kindsOf('bob'), []);
      const third = connect('bob');
      await third.answer(/Password: /, password);
      await secretOn(third);
      await third.answer(/Verification code: /, totp(secret));
      await third.expect(/not a current code/);
      await third.hangUp();
      assert.deepEqual(await kindsOf('bob'), []);
    },
  );

  scenario(product, 'enrols in sudo, too', async () => {
    const carol = addPerson('carol');
    const terminal = new Terminal([...as(carol), 'sudo', '-k', 'sh', '-c', 'echo "in-$(id -un)"']);
    await terminal.answer(/password for carol: /, password);
    const secret = await secretOn(terminal);
    await terminal.expect(/Verification code: /);
    await pause(sudoFlush);
    terminal.send(`${totp(secret)}\r`);
    await terminal.expect(/Type "yes"/);
    await pause(sudoFlush);
    terminal.send('yes\r');
    await terminal.expect(/in-root/);
    assert.deepEqual(await kindsOf('carol'), ['totp', 'recovery']);
  });
});
