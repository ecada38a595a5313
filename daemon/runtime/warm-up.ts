import { setTimeout as rest } from 'node:timers/promises';
import { formatJournalLine } from '../audit/journal-line.ts';
import { parseConfig } from '../config/load.ts';
import type { HotpRecord } from '../factors/hotp.ts';
import { codeAt } from '../factors/otp.ts';
import type { Accounts, FrameLink, HostFacts, LinkEvents } from '../host/contract.ts';
import type { Log } from '../lib/log.ts';
import { systemRandomness } from '../lib/randomness.ts';
import { limits } from '../limits.ts';
import { Conversation, type ConversationOptions } from '../login/conversation.ts';
import { unavailableServices } from '../maintenance/administration.ts';
import type { HelloFrame } from '../protocol/login.ts';
import { keyFileText, newMasterKey, parseKeyring } from '../sealing/keyring.ts';
import { createSealer } from '../sealing/seal.ts';
import { emptyRecord } from '../store/contract.ts';
import { ScratchStore } from './scratch-store.ts';
import { createVerifier } from './verifier.ts';

const name = 'warm-up';
const found = { status: 'found', account: { name, uid: 0, gid: 0 }, groups: new Map() } as const;
const accounts: Accounts = { byName: async () => found, byUid: async () => found };
const hello: HelloFrame = {
  type: 'hello',
  service: 'sshd',
  user: name,
  rhost: '192.0.2.1',
  realUid: 0,
  mode: 'prompt',
  firstFactorPassed: true,
  deadline: limits.longestDeadline,
  flags: 0,
  terminal: false,
};
const silent: Log = { info: () => undefined, warning: () => undefined, error: () => undefined };
const clock = { now: () => Date.now(), monotonic: () => performance.now() };
const neverAsked = (): never => {
  throw new Error('internal error: a warm-up asks no key; please report this');
};

/**
 * Logins of an account that does not exist, against a store in memory that is thrown away: V8 compiles the path of a
 * login before the first user needs it.
 *
 * Invariants:
 * - nothing of it reaches the store, the trail, the journal, the log, the metrics, NSS or a socket;
 * - between two of its logins everything else goes first;
 * - it ends after `limits.warmUp.logins` logins or `limits.warmUp.time`, or when `signal` is aborted.
 *
 * @returns how many logins were accepted
 */
export async function warmUp(host: HostFacts, signal: AbortSignal): Promise<number> {
  const keyring = parseKeyring(keyFileText([newMasterKey()]), { path: name, credential: false });
  const parsed = parseConfig('[[realm]]\nname = "default"\nrequire = "none"\n', name, name);
  if (!parsed.ok) return 0;
  const store = new ScratchStore(createSealer(keyring));
  store.follow((event) => void formatJournalLine(event));
  const factor = newFactor();
  const record = { ...emptyRecord(name, clock.now(), 0), factors: [factor] };
  await store.commit({ accounts: [{ account: name, version: 0, write: record }], events: [] });
  const verifier = createVerifier({
    ...unavailableServices,
    store,
    accounts,
    config: () => parsed.config,
    keyedHash: keyring.keyedHash('recovery'),
    randomness: systemRandomness,
    clock,
    log: silent,
  });
  const options = {
    verifier,
    keyRequests: { begin: neverAsked },
    approvals: { wait: neverAsked },
    log: silent,
  };
  const end = clock.monotonic() + limits.warmUp.time;
  let accepted = 0;
  for (let login = 0; login < limits.warmUp.logins; login += 1) {
    if (signal.aborted || clock.monotonic() > end) break;
    if (await oneLogin({ ...host, accounts }, options, codeAt(factor, login))) accepted += 1;
    // Not unref'd: a stop waits for the end of this, and would end with the process, before the store is closed.
    await rest(limits.warmUp.rest);
  }
  await store.close();
  return accepted;
}

function newFactor(): HotpRecord {
  const secret = systemRandomness.bytes(20).toString('base64');
  const own = { id: name, name, created: clock.now(), enabled: true } as const;
  return { ...own, kind: 'hotp', secret, digits: 6, algorithm: 'sha1', counter: 0 };
}

/** @returns whether it was accepted */
function oneLogin(host: HostFacts, options: ConversationOptions, code: string): Promise<boolean> {
  return new Promise((resolve) => {
    let events: LinkEvents | undefined;
    let accepted = false;
    const link: FrameLink = {
      origin: { host, socket: 'root', peerUid: 0 },
      listen(given) {
        events = given;
      },
      send(frames) {
        for (const frame of frames) {
          if (frame.type === 'prompt')
            setImmediate(() => events?.frame({ type: 'answer', answer: Buffer.from(code) }));
          if (frame.type === 'result') accepted = frame.code === 'success';
        }
      },
      close() {
        setImmediate(() => {
          events?.closed();
          resolve(accepted);
        });
      },
    };
    new Conversation(link, options, () => ({ admitted: true }));
    events?.frame(hello);
  });
}
