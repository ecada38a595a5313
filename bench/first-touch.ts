import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { createClient } from '../daemon/client/client.ts';
import { loadAddon } from '../daemon/host/addon.ts';
import { loadKeyring } from '../daemon/sealing/keyring.ts';
import { openStore } from '../daemon/store/leveldb/open.ts';
import { assertionBy, type SoftKey, softKey } from '../test/support/soft-keys.ts';
import { hotp } from './devices.ts';
import { median } from './measure.ts';
import { Sallyport } from './sallyport.ts';

/** From a signature's arrival at sallyportd, by way of control.sock, to the answer; milliseconds. */
export interface FirstTouch {
  /** The first one after a start; median of the starts. */
  readonly first: number;
  readonly later: number;
}

const user = 'root';
const rpId = 'localhost';
const origin = 'http://localhost';
const starts = 3;
/** Users take this long at least to touch a key that blinks. */
const blink = 1_000;
const later = 5;

export async function measureFirstTouch(directory: string): Promise<FirstTouch> {
  const sallyport = new Sallyport(directory, { users: 0, warmUp: 0, device: hotp });
  await sallyport.setUp();
  await sallyport.stop();
  configure(sallyport.configFile);
  const key = softKey({ rpId });
  await enrol(sallyport, key);
  const first: number[] = [];
  const after: number[] = [];
  try {
    for (let start = 0; start < starts; start += 1) {
      await sallyport.restart();
      first.push(await signIn(sallyport, key, blink));
      while (after.length < later * (start + 1)) after.push(await signIn(sallyport, key, 0));
    }
  } finally {
    await sallyport.stop();
  }
  return { first: median(first), later: median(after) };
}

function configure(file: string): void {
  const text = readFileSync(file, 'utf8');
  const tables = `[webauthn]\nrp_id = "${rpId}"\n\n[portal]\norigins = ["${origin}"]\n\n`;
  writeFileSync(
    file,
    text.replace(/^\[\[realm\]\]/m, (realm) => tables + realm),
  );
}

async function enrol({ paths }: Sallyport, { record }: SoftKey): Promise<void> {
  const { store: directory, anchor, masterKey } = paths;
  const keyring = loadKeyring({ path: masterKey });
  const store = await openStore({ directory, anchor, keyring, locks: loadAddon() });
  const write = {
    account: user,
    created: Date.now(),
    factors: [record],
    lock: { codes: 0, any: 0 },
    grants: [],
  };
  const outcome = await store.commit({ accounts: [{ account: user, version: 0, write }], events: [] });
  await store.close();
  if (outcome !== 'committed') throw new Error(`enrolling a key: ${outcome}`);
}

/** As a browser does it, with a key that is touched after a moment. */
async function signIn({ paths }: Sallyport, key: SoftKey, wait: number): Promise<number> {
  const client = createClient({ socket: paths.controlSocket });
  const { id, step } = await client.beginSignIn({ user, by: 'uid' });
  if (step.kind !== 'factor' || step.key === undefined) throw new Error('no security key is asked for');
  await delay(wait);
  const made = assertionBy(key, { challenge: step.key.challenge, origin });
  const text = (bytes: Buffer): string => bytes.toString('base64url');
  const start = performance.now();
  const { step: end } = await client.answerSignIn(id, {
    kind: 'assertion',
    credentialId: made.credentialId,
    clientDataJSON: text(made.clientDataJSON),
    authenticatorData: text(made.authenticatorData),
    signature: text(made.signature),
  });
  if (end.kind !== 'link') throw new Error('the signature is not accepted');
  return performance.now() - start;
}
