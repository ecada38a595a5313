import type { EventOrigin } from '../../audit/aggregates.ts';
import type { AuditEvent } from '../../audit/event.ts';
import { setBounded } from '../../lib/bounded-map.ts';
import { createRates, type Rate, type Rates } from '../../lib/rates.ts';
import { limits } from '../../limits.ts';
import type { Change, EncodedEvent } from './change.ts';
import type { TrailBounds } from './trail-pruning.ts';

/** How much each party may write to the trail before its events are dropped before others' (trail-pruning.ts). */
export interface Shares {
  /** @returns the change, with events beyond a share marked; `settle`: to be called once it is committed */
  rate(change: Change, from?: EventOrigin): { readonly change: Change; readonly settle: () => void };
}

/** Bytes that chain, seal and key add to an event. */
const overhead = 128;
const day = 86_400_000;

/**
 * Invariants:
 * - an event counts with the larger of its fractions of the two bounds of the trail, number and size;
 * - in a day one account uses at most `limits.trailShare.one` of the trail through its logins, and one uid no more
 *   through its changes; beyond that its events are marked, and are dropped first;
 * - the same holds for a party that has verified no factor, and all such parties together use at most
 *   `limits.trailShare.unverified`; they use nothing of the share of the account that they name;
 * - what root does to accounts, and the store's own events, are not treated as a flood: the former count for the
 *   account, the latter for no share.
 */
export function createShares(
  bounds: () => TrailBounds,
  overShare: (payer: string) => void,
  monotonic: () => number = () => performance.now(),
): Shares {
  const { one, unverified, parties } = limits.trailShare;
  // Kept separately: however many parties there are, they never make the daemon forget the share of an account.
  const accounts = createRates(monotonic, parties);
  const others = createRates(monotonic, parties);
  const lastReported = new Map<string, number>();

  const fractionOf = (bytes: number): number => {
    const { keep, keepBytes } = bounds();
    return Math.max(1 / keep, (bytes + overhead) / keepBytes);
  };
  const report = (payer: string): void => {
    const before = lastReported.get(payer);
    if (before !== undefined && monotonic() - before < day) return;
    setBounded(lastReported, payer, monotonic(), parties);
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
    rate(change, from) {
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
        // It uses nothing of a shared limit: a flood from one party must not mark the events of all.
        if (by <= short.rate.burst) report(short.name);
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

/** A share of the trail per day: of the whole trail, `share` days of one day each. */
function rateOf(share: number): Rate {
  return { burst: share, forgetOneIn: day / share };
}
