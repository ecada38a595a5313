import type { ImportEntry, ImportedAccount } from '../../daemon/api/account-views.ts';
import { movedLimits } from '../../daemon/api/bounds.ts';
import { type ControlClient, ControlError } from '../../daemon/client/client.ts';
import type { Found } from './contract.ts';

/** Concurrent requests: while one is committed, the next is parsed. */
const mostUnderWay = 4;
/** Leaves space in the request body for the fields around the accounts. */
const mostBytes = movedLimits.bytes - 4_096;

export interface Answered {
  readonly found: Found;
  readonly said: ImportedAccount;
}

export interface SendOptions {
  readonly client: Pick<ControlClient, 'import'>;
  readonly source: string;
  readonly dryRun: boolean;
  /** Receives each result, in the order of the accounts. */
  readonly answered: (one: Answered) => void;
}

export interface Sender {
  /** Waits while too many requests are in progress, so that reading does not run ahead of storing. */
  send(found: Found): Promise<void>;
  /** Sends the rest and waits for all results. */
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
    // Awaited later, in order; until then an error must not count as an unhandled rejection.
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

/** Sends one request; if the daemon rejects it, sends its accounts one by one, so that each gets its own error. */
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
  message: 'sallyportd returned no result for it; see its log: journalctl -u sallyportd',
  factors: [],
  locked: false,
};
