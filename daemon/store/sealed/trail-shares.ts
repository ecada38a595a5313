import type { EventOrigin } from '../../audit/aggregates.ts';
import type { AuditEvent } from '../../audit/event.ts';
import { setBounded } from '../../lib/bounded-map.ts';
import { createRates, type Rate, type Rates } from '../../lib/rates.ts';
import { limits } from '../../limits.ts';
import type { Change, EncodedEvent } from './change.ts';
import type { TrailBounds } from './trail-pruning.ts';

/** Who may write how much into the trail before its events give way to those of others (dropping.ts). */
export interface Shares {
  /** @returns the change, its events marked; `settle`: to be called once it is committed */
  judge(change: Change, from?: EventOrigin): { readonly change: Change; readonly settle: () => void };
}

/** What the chain and the seal add to an event, and its key. */
const overhead = 128;
const day = 86_400_000;

/**
 * Invariants:
 * - an event takes the larger of its parts of the two bounds of the trail, number and size;
 * - in a day one account takes no more than `limits.trailShare.one` of the trail through its logins, and one uid no
 *   more through its changes; beyond that its events are marked, and give way first;
 * - the same holds for a party that has verified no factor, and all of them together take no more than
 *   `limits.trailShare.unverified`; they take nothing of the share of the account that they name;
 * - what root does to accounts, and what the store says of itself, is part of no flood: the first counts for the
 *   account, the second for none.
 */
export function createShares(
  bounds: () => TrailBounds,
  overShare: (payer: string) => void,
  monotonic: () => number = () => performance.now(),
): Shares {
  const { one, unverified, parties } = limits.trailShare;
  // Of their own: however many parties there are, none of them makes the share of an account be forgotten.
  const accounts = createRates(monotonic, parties);
  const others = createRates(monotonic, parties);
  const told = new Map<string, number>();

  const fractionOf = (bytes: number): number => {
    const { keep, keepBytes } = bounds();
    return Math.max(1 / keep, (bytes + overhead) / keepBytes);
  };
  const tell = (payer: string): void => {
    const before = told.get(payer);
    if (before !== undefined && monotonic() - before < day) return;
    setBounded(told, payer, monotonic(), parties);
    overShare(payer);
  };
  const payersOf = (event: AuditEvent, from: EventOrigin | undefined): readonly Payer[] => {
    if (event.kind === 'store') return [];
    if (event.firstFactorVerified === false) {
      const party = from?.party ?? event.actor ?? event.source ?? 'without a name';
      return [
        { name: party, rates: others, rate: rateOf(one) },
        { name: 'all without a verified factor', rates: others, rate: rateOf(unverified) },
      ];
    }
    const isOthers = event.actor !== undefined && event.actor !== 'uid:0';
    return [{ name: isOthers ? `${event.actor}` : event.account, rates: accounts, rate: rateOf(one) }];
  };

  return {
    judge(change, from) {
      const paid: (() => void)[] = [];
      const events = change.events.map((encoded): EncodedEvent => {
        const by = fractionOf(encoded.bytes.length);
        const payers = payersOf(encoded.event, from);
        const short = payers.find(({ rates, name, rate }) => !rates.allows(name, rate, by));
        if (short === undefined) {
          paid.push(() => {
            for (const { rates, name, rate } of payers) rates.add(name, rate, by);
          });
          return encoded;
        }
        // It takes nothing of what it shares with others: a flood of one must not mark the events of all.
        if (by <= short.rate.burst) tell(short.name);
        return { ...encoded, overShare: true };
      });
      const settle = (): void => {
        for (const pay of paid) pay();
      };
      return { change: { ...change, events }, settle };
    },
  };
}

interface Payer {
  readonly name: string;
  readonly rates: Rates;
  readonly rate: Rate;
}

/** A share of the trail in a day: of the whole trail, `share` days of one day each. */
function rateOf(share: number): Rate {
  return { burst: share, forgetOneIn: day / share };
}
