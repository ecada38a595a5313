import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync } from 'node:crypto';
import { rawPoint } from '../support/authenticator/keys.ts';
import { must } from '../support/rig/commands.ts';
import { openSessionFromAfar, sudoFromAfar } from '../support/rig/local-session.ts';
import { work } from '../support/rig/machine.ts';
import { inNamespace } from '../support/rig/namespace.ts';
import { addPerson, allowSudo, type Person } from '../support/rig/people.ts';
import { approvalOn, approve, openPortal, portalPort, ServerContext } from '../support/rig/portal.ts';
import { prepare, scenario } from '../support/rig/scenario.ts';
import { useSnippet } from '../support/rig/stack.ts';

/** Browsers accept AppIDs only over https and on hosts of a domain: a portal as in a company. */
const host = 'login.example.test';
const origin = `https://${host}:${portalPort}`;
const appId = 'https://vault.example.test';
const [certFile, keyFile] = [`${work}/portal.crt`, `${work}/portal.key`];
const realms = `
[webauthn]
rp_id = "example.test"

[portal]
origins = ["${origin}"]
listen = "127.0.0.1:${portalPort}"
cert_file = "${certFile}"
key_file = "${keyFile}"

[[realm]]
name = "rest"
require = "none"
`;

await inNamespace(import.meta.filename, async () => {
  const product = await prepare(realms);
  const asked = [
    'req',
    '-x509',
    '-nodes',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-days',
    '2',
  ];
  must('openssl', [...asked, '-subj', `/CN=${host}`, '-keyout', keyFile, '-out', certFile]);
  useSnippet('sudo', 'sallyport-sudo');
  allowSudo();
  openSessionFromAfar();
  const browser = await openPortal(product, [
    '--ignore-certificate-errors',
    '--host-resolver-rules=MAP *.example.test 127.0.0.1',
  ]);

  /** A credential as a site created it years ago, on the key of this browser. */
  const legacy = async (person: Person, desk: ServerContext, forSite: string): Promise<void> => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const handle = createHash('sha256').update(person.name).digest();
    await desk.key.cdp.send('WebAuthn.addCredential', {
      authenticatorId: desk.key.id,
      credential: {
        credentialId: handle.toString('base64'),
        isResidentCredential: false,
        rpId: forSite,
        privateKey: privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64'),
        signCount: 7,
      },
    });
    const credential = `${handle.toString('base64')},${rawPoint(publicKey).toString('base64')},es256,+presence`;
    const words = ['factor', 'add', 'u2f', person.name, '--app-id', forSite, '--name', 'old'];
    await product.must([...words, '--credential', credential, '--no-verify']);
  };

  scenario(product, 'a legacy key signs in, approves a login, and is replaced in one dialog', async () => {
    const person = addPerson('alice');
    const desk = await ServerContext.open(browser, { origin, kind: 'u2f' });
    await legacy(person, desk, appId);
    await desk.signInByKey('alice');
    const terminal = await sudoFromAfar(person);
    await approve(desk, (await approvalOn(terminal)).link);
    await terminal.expect(/in-root/);
    assert.equal(await terminal.ended(), 0);
    const last = (await product.events('alice')).at(-1);
    assert.deepEqual([last?.outcome, last?.factor?.kind], ['success', 'u2f']);

    await desk.page.goto(origin);
    await desk.page.getByRole('button', { name: 'Switch to WebAuthn' }).click();
    await desk.page
      .getByRole('dialog')
      .getByRole('button', { name: /Switch|Add/ })
      .click();
    await desk.page
      .getByText(/switched|was added|removed/i)
      .first()
      .waitFor();
    const listed = await product.must(['factor', 'list', 'alice']);
    assert.match(listed, /webauthn/);
    assert.doesNotMatch(listed, /u2f/);
    await desk.close();
  });

  scenario(product, 'a key of another domain is refused, with the reason', async () => {
    const person = addPerson('bob');
    const desk = await ServerContext.open(browser, { origin, kind: 'u2f' });
    await legacy(person, desk, 'https://login.elsewhere.test');
    await desk.begin('bob');
    await desk.page.getByRole('button', { name: /security key/i }).click();
    await desk.page.getByRole('alert').first().waitFor();
    await desk.close();
  });

  scenario(product, 'the cookie is restricted to https and this host', async () => {
    addPerson('carol');
    const desk = await ServerContext.open(browser, { origin });
    await desk.signIn('carol');
    const cookies = await desk.page.context().cookies();
    assert.deepEqual(
      cookies.map(({ name, secure, httpOnly, sameSite, domain, path }) => ({
        ...{ name: name.startsWith('__Host-'), secure, httpOnly, sameSite, domain, path },
      })),
      [{ name: true, secure: true, httpOnly: true, sameSite: 'Strict', domain: host, path: '/' }],
    );
    await desk.close();
  });
});
