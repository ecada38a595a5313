import assert from 'node:assert/strict';
import { hotp } from '../support/codes.ts';
import { inNamespace } from '../support/rig/namespace.ts';
import { addPerson, allowSudo, as, type Person, password } from '../support/rig/people.ts';
import { prepare, scenario } from '../support/rig/scenario.ts';
import { makeSshKeys, ssh, startSshd } from '../support/rig/ssh.ts';
import { useSnippet } from '../support/rig/stack.ts';
import { Terminal } from '../support/rig/terminal.ts';

/** Features for a roll-out: realms in observe mode, exemptions, bypass codes. */
const realmsWith = (observe: boolean) => `
[[realm]]
name = "watched"
members = { uids = ["3100-3199"] }
require = "any"
observe = ${observe}

  [[realm.rule]]
  services = ["sudo-i"]
  action = "refuse"

[[realm]]
name = "staff"
members = { uids = ["3000-3099"] }
require = "any"

[[realm]]
name = "rest"
require = "none"
`;
const port = 2231;
const whoami = 'echo "in-$(id -un)"';

interface Report {
  readonly totals: Readonly<Record<string, number>>;
  readonly accounts: readonly {
    readonly account: string;
    readonly readiness: string;
    readonly why: string;
    readonly services: readonly string[];
    readonly refusedAt: readonly { readonly service: string; readonly why: string }[];
  }[];
}

await inNamespace(import.meta.filename, async () => {
  const product = await prepare(realmsWith(true));
  allowSudo();
  for (const service of ['sudo', 'sudo-i']) useSnippet(service, 'sallyport-sudo');
  useSnippet('sshd', 'sallyport-sshd');
  makeSshKeys();
  await startSshd(port, 'sallyport-password-code.conf');

  const connect = async (user: string): Promise<Terminal> => {
    const options = ['PreferredAuthentications=keyboard-interactive'];
    const terminal = new Terminal(ssh(user, { port, options }, [whoami]));
    await terminal.answer(/Password: /, password);
    return terminal;
  };
  const sudo = async (person: Person, ...options: string[]): Promise<Terminal> => {
    const terminal = new Terminal([...as(person), 'sudo', '-k', ...options, 'sh', '-c', whoami]);
    await terminal.answer(new RegExp(`password for ${person.name}: `), password);
    return terminal;
  };
  const isIn = async (terminal: Terminal, user: string): Promise<void> => {
    await terminal.expect(new RegExp(`in-${user}`));
    assert.equal(await terminal.ended(), 0);
  };
  const lastOf = async (user: string) => {
    const { outcome, reason } = (await product.events(user)).at(-1) ?? {};
    return [outcome, reason];
  };

  scenario(product, 'a bypass code allows one ssh login of a user without a phone', async () => {
    addPerson('alice');
    await product.addTotp('alice');
    const code = (await product.must(['factor', 'add', 'bypass', 'alice', '--for', '30m'])).trim();
    assert.match(code, /^\d{3} \d{3} \d{3}$/);
    const first = await connect('alice');
    await first.answer(/Verification code or bypass code: /, code);
    await first.expect(/used up/);
    await isIn(first, 'alice');
    const second = await connect('alice');
    await second.answer(/Verification code: /, code);
    await second.expect(/was used before/);
    await second.hangUp();
    const factors = (await product.json(['factor', 'list', 'alice'])) as { factors: { kind: string }[] };
    assert.deepEqual(
      factors.factors.map(({ kind }) => kind),
      ['totp'],
    );
  });

  scenario(
    product,
    'a realm in observe mode allows ssh and sudo, and records what it would have decided',
    async () => {
      const bob = addPerson('bob', 3100);
      const carol = addPerson('carol', 3101);
      await product.addTotp('carol');
      await isIn(await connect('bob'), 'bob');
      assert.deepEqual(await lastOf('bob'), ['observed', 'no-factor']);
      await isIn(await sudo(carol), 'root');
      assert.deepEqual(await lastOf('carol'), ['observed', 'ask']);
      const login = await sudo(carol, '-i');
      await isIn(login, 'root');
      assert.deepEqual(await lastOf('carol'), ['observed', 'rule-refuse']);
      await isIn(await sudo(bob), 'root');
      const status = await product.cli(['status']);
      assert.match(status.stderr, /"watched".*in observe mode/);
      assert.match(product.log(), /realm-observes/);

      const report = (await product.json(['report', '--realm', 'watched'])) as Report;
      assert.deepEqual(
        report.accounts.map(({ account, readiness, why, services }) => [account, readiness, why, services]),
        [
          ['bob', 'refused', 'no-factor', ['sshd', 'sudo']],
          ['carol', 'ready', 'ask', ['sudo', 'sudo-i']],
        ],
      );
      assert.deepEqual(report.accounts[1]?.refusedAt, [{ service: 'sudo-i', why: 'rule-refuse' }]);
      assert.deepEqual([report.totals.refused, report.totals.ready], [1, 1]);
    },
  );

  scenario(product, 'the same realm asks for a code once it no longer observes', async () => {
    const dave = addPerson('dave', 3102);
    product.writeRealms(realmsWith(false));
    await product.must(['reload']);
    const refused = await sudo(dave);
    await refused.expect(/second factor is required/);
    await refused.hangUp();
    assert.deepEqual(await lastOf('dave'), ['refused', 'no-factor']);
    assert.doesNotMatch((await product.cli(['status'])).stderr, /observes/);
  });

  scenario(product, 'an exemption applies until it ends, and is reported everywhere', async () => {
    const erin = addPerson('erin');
    const secret = await product.addHotp('erin');
    await product.must(['user', 'exempt', 'erin', '--for', '2h', '--service', 'sudo', '--reason', 'repair']);
    await isIn(await sudo(erin), 'root');
    assert.deepEqual(await lastOf('erin'), ['not-needed', 'exempt']);
    const elsewhere = await connect('erin');
    await elsewhere.answer(/Verification code: /, hotp(secret, 0));
    await isIn(elsewhere, 'erin');
    assert.match(await product.must(['user', 'show', 'erin']), /exempt\tuntil .* for sudo, by uid:0: repair/);
    assert.match(await product.must(['explain', 'erin', '--service', 'sudo']), /exempted the account until/);
    assert.match((await product.cli(['status'])).stderr, /1 account is exempt/);
    await product.must(['user', 'exempt', 'erin', '--clear']);
    const asked = await sudo(erin);
    await asked.answer(/Verification code: /, hotp(secret, 1));
    await isIn(asked, 'root');
    const reported = (await product.events('erin')).filter(({ kind }) => kind === 'exempted');
    assert.deepEqual(
      reported.map(({ reason }) => reason),
      ['issued', 'revoked'],
    );
  });
});
