import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { until } from '../support/rig/commands.ts';
import { syslog, work } from '../support/rig/machine.ts';
import { inNamespace } from '../support/rig/namespace.ts';
import { addPerson, password } from '../support/rig/people.ts';
import { portalOrigin, portalTables } from '../support/rig/portal.ts';
import { prepare, scenario } from '../support/rig/scenario.ts';

/** A real Cockpit: cockpit-session logs whatever a PAM module shows, so no secret may be shown. */
const realms = `
${portalTables}
[[realm]]
name = "keys"
members = { users = ["keys"] }
require = "webauthn"

[[realm]]
name = "staff"
members = { uids = ["3000-3999"] }
require = "totp"
enrol = "at-login"

[[realm]]
name = "rest"
require = "none"
`;
const port = 9290;
const log = `${work}/cockpit.log`;
const seed = /[A-Z2-7]{4}(?: ?[A-Z2-7]{4}){7}/;
const recoveryKey = /[a-z2-9]{5}(?:-[a-z2-9]{5}){3}/;
const link = /\/approve\/[0-9a-z]{16}/;

interface Reply {
  readonly status: number | undefined;
  /** The next prompt of Cockpit, and the conversation that continues. */
  readonly conversation?: { readonly id: string; readonly prompt: string };
  readonly body: string;
}

async function signIn(authorization: string): Promise<Reply> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path: '/cockpit/login', headers: { authorization } };
    get(options, resolve).on('error', reject);
  });
  const [scheme, id = '', prompt = ''] = (response.headers['www-authenticate'] ?? '').split(' ');
  return {
    status: response.statusCode,
    ...(scheme === 'X-Conversation' && {
      conversation: { id, prompt: Buffer.from(prompt, 'base64').toString() },
    }),
    body: await text(response),
  };
}

const base64 = (words: string) => Buffer.from(words).toString('base64');
const begin = (user: string) => signIn(`Basic ${base64(`${user}:${password}`)}`);
const goOn = ({ conversation }: Reply, answer: string) =>
  signIn(`X-Conversation ${conversation?.id ?? ''} ${base64(answer)}`);

/** Everything that Cockpit and its session have written, and what they sent to syslog. */
const written = () => `${existsSync(log) ? readFileSync(log, 'utf8') : ''}${syslog()}`;

function guardCockpit(): void {
  const file = '/etc/pam.d/cockpit';
  const before = readFileSync(file, 'utf8');
  const after = before.replace(/^auth\s+substack\s+common-auth$/m, '@include sallyport-remote');
  assert.notEqual(after, before);
  writeFileSync(file, after);
}

async function startCockpit(): Promise<void> {
  const out = openSync(log, 'a');
  const words = ['--no-tls', '--address', '127.0.0.1', '--port', String(port)];
  const environment = { ...process.env, G_MESSAGES_DEBUG: 'all' };
  const cockpit = spawn('/usr/lib/cockpit/cockpit-ws', words, {
    stdio: ['ignore', out, out],
    env: environment,
  });
  cockpit.unref();
  await until('Cockpit listens', () =>
    signIn('Basic Og==').then(
      () => true,
      () => false,
    ),
  );
}

await inNamespace(import.meta.filename, async () => {
  const product = await prepare(realms);
  guardCockpit();
  await startCockpit();

  scenario(
    product,
    'an account without a factor is refused and told where to add one; no secret is created',
    async () => {
      addPerson('alice');
      const before = written().length;
      const reply = await begin('alice');
      assert.equal(reply.status, 401);
      assert.equal(reply.conversation, undefined, reply.conversation?.prompt);
      const shown = reply.body + written().slice(before);
      assert.ok(shown.includes(`Add one first: ${portalOrigin}, or log in over ssh.`), shown);
      for (const secret of [seed, recoveryKey, link]) assert.doesNotMatch(shown, secret);
    },
  );

  scenario(
    product,
    'an account with only a security key sees the page and a number, and no link',
    async () => {
      addPerson('keys');
      const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
      const point = Buffer.concat([
        Buffer.from([4]),
        ...[x, y].map((part) => Buffer.from(part, 'base64url')),
      ]);
      const credential = `${Buffer.alloc(32, 7).toString('base64')},${point.toString('base64')},es256,+presence`;
      const words = ['--app-id', 'https://login.example.org', '--credential', credential, '--no-verify'];
      await product.must(['factor', 'add', 'u2f', 'keys', ...words]);
      const before = written().length;
      const reply = await begin('keys');
      const shown = `${reply.conversation?.prompt}${reply.body}${written().slice(before)}`;
      assert.match(shown, /Press Enter once it is approved/);
      assert.match(shown, new RegExp(`Open ${portalOrigin} and approve this login. Number: \\d\\d`));
      assert.doesNotMatch(shown, link);
    },
  );

  scenario(product, 'the search finds secrets that are shown: a service that secrets_in names', async () => {
    addPerson('bob');
    const config = readFileSync(product.config, 'utf8');
    writeFileSync(product.config, `secrets_in = ["cockpit"]\n${config}`);
    await product.must(['reload']);
    const before = written().length;
    const reply = await begin('bob');
    assert.match(reply.conversation?.prompt ?? '', /Verification code: /);
    const shown = `${reply.body}${written().slice(before)}`;
    assert.match(shown, seed);
    await goOn(reply, '000000');
  });
});
