import type { Approvals } from '../authenticators/approvals.ts';
import { isFailure, type KeyRequest, type KeyRequests } from '../authenticators/key-requests.ts';
import type { HostFacts } from '../host/contract.ts';
import type { KeyOption } from '../verifier/contract.ts';
import type { Event } from './state.ts';

export interface PendingKeyOptions {
  /** The keys that are plugged into the host of the login. */
  readonly keyRequests: Pick<KeyRequests, 'begin'>;
  /** The approvals in a browser. */
  readonly approvals: Pick<Approvals, 'wait'>;
}

type KeyEvent = Event & { readonly kind: 'key' };

/**
 * The security key, or the approval, that one login waits for.
 *
 * Invariants: at most one touch is pending; later events of an earlier one are dropped.
 */
export class PendingKey {
  readonly #o: PendingKeyOptions;
  readonly #host: HostFacts;
  readonly #happened: (event: KeyEvent) => void;
  #touch: KeyRequest | undefined;

  /** @param happened called with what the user should see meanwhile */
  constructor(options: PendingKeyOptions, host: HostFacts, happened: (event: KeyEvent) => void) {
    this.#o = options;
    this.#host = host;
    this.#happened = happened;
  }

  /** @param left milliseconds of the login @returns the outcome; undefined if it no longer is the current touch */
  async begin(offer: KeyOption, left: number): Promise<KeyEvent | undefined> {
    this.end();
    const isCurrent = () => this.#touch === touch;
    const touch =
      offer.place === 'approval'
        ? this.#o.approvals.wait(offer.approval, left)
        : this.#o.keyRequests.begin(this.#host, offer.question, left, (said) => {
            if (isCurrent()) this.#happened({ kind: 'key', said });
          });
    this.#touch = touch;
    const outcome = await touch.outcome;
    if (!isCurrent()) return undefined;
    this.#touch = undefined;
    const said = isFailure(outcome)
      ? ({ kind: 'failed', reason: outcome.reason } as const)
      : ({ kind: 'touched', assertion: outcome } as const);
    return { kind: 'key', said };
  }

  /** The bytes are wiped. */
  pin(pin: Buffer): void {
    if (this.#touch === undefined) pin.fill(0);
    else this.#touch.pin(pin);
  }

  end(): void {
    const touch = this.#touch;
    this.#touch = undefined;
    touch?.cancel();
  }
}

/**
 * Withdraws an approval that is no longer awaited: the program has gone while the account was looked up, or the
 * daemon stops.
 */
export function withdrawOffer(offer: KeyOption, { approvals }: Pick<PendingKeyOptions, 'approvals'>): void {
  if (offer.place === 'approval') approvals.wait(offer.approval, 0).cancel();
}
