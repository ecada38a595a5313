import type { ImportEntry, ImportedAccount } from '../../daemon/api/account-views.ts';
import { movedLimits } from '../../daemon/api/bounds.ts';
import { type ControlClient, ControlError } from '../../daemon/client/client.ts';
import type { Found } from './contract.ts';

/** Requests under way: while one is committed, the next one is parsed and looked up. */
const mostUnderWay = 4;
/** The rest of a body is for what stands around the accounts. */
const mostBytes = movedLimits.bytes - 4_096;

export interface Answered {
  readonly found: Found;
  readonly said: ImportedAccount;
}

export interface SendOptions {
  readonly client: Pick<ControlClient, 'import'>;
  readonly source: string;
  readonly dryRun: boolean;
  /** Each answer, in the order in which the accounts were given. */
  readonly answered: (one: Answered) => void;
}

export interface Sender {
  /** Waits while too much is under way: what is read never runs ahead of what is stored. */
  send(found: Found): Promise<void>;
  /** Sends what is left and waits for all answers. */
  end(): Promise<void>;
}

/** Sends accounts in batches, each as large as one request may be. */
export function createSender(options: SendOptions): Sender {
  let batch: Found[] = [];
  let bytes = 0;
  const underWay: Promise<readonly Answered[]>[] = [];

  const settleOne = async () => {
    for (const one of (await underWay.shift()) ?? []) options.answered(one);
  };
  const dispatch = async () => {
    if (batch.length === 0) return;
    const asked = ask(options, batch);
    // It is waited for in its turn; until then nobody else must trip over it.
    asked.catch(() => undefined);
    underWay.push(asked);
    batch = [];
    bytes = 0;
    if (underWay.length >= mostUnderWay) await settleOne();
  };
  return {
    async send(found) {
      const cost = Buffer.byteLength(JSON.stringify(entryOf(found))) + 1;
      if (batch.length >= movedLimits.accounts || bytes + cost > mostBytes) await dispatch();
      batch.push(found);
      bytes += cost;
    },
    async end() {
      await dispatch();
      while (underWay.length > 0) await settleOne();
    },
  };
}

function entryOf({ user, owner, factors, lock }: Found): ImportEntry {
  return {
    ...(user === undefined ? {} : { user }),
    ...(owner === undefined ? {} : { owner }),
    factors,
    ...(lock === undefined ? {} : { lock }),
  };
}

/** One request; where it does not fit the daemon, its accounts one by one, so that each is told its own fault. */
async function ask(options: SendOptions, batch: readonly Found[]): Promise<readonly Answered[]> {
  const { client, source, dryRun } = options;
  try {
    const accounts = await client.import({ source, dryRun, entries: batch.map(entryOf) });
    return batch.map((found, index) => ({ found, said: accounts[index] ?? noAnswer }));
  } catch (error) {
    const isUnfit =
      error instanceof ControlError && (error.code === 'bad-request' || error.code === 'body-too-large');
    const [found] = batch;
    if (!isUnfit || found === undefined) throw error;
    if (batch.length > 1) {
      const middle = Math.ceil(batch.length / 2);
      const first = await ask(options, batch.slice(0, middle));
      return [...first, ...(await ask(options, batch.slice(middle)))];
    }
    return [{ found, said: { ...noAnswer, code: error.code, message: error.message } }];
  }
}

const noAnswer: ImportedAccount = {
  outcome: 'refused',
  code: 'internal',
  message: 'sallyportd said nothing of it; look at its log: journalctl -u sallyportd',
  factors: [],
  locked: false,
};
