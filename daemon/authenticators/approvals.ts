import type { Assertion } from '../factors/contract.ts';
import type { FactorRecord } from '../factors/kinds.ts';
import { credentialOf } from '../factors/kinds.ts';
import type { FidoFailure, FidoReason } from '../host/contract.ts';
import type { Randomness } from '../lib/randomness.ts';
import { limits } from '../limits.ts';
import type { LoginFacts } from '../policy/contract.ts';
import type { Assertions } from './assertions.ts';
import type { CredentialRequest, KeyRequest } from './key-requests.ts';

/** A login that waits for approval in a browser. */
export interface Approval {
  /**
   * 80 random bits, part of the link: a party that knows it can open the approval and see its details, including
   * the number.
   */
  readonly id: string;
  /** The identifier for signed-in pages of the user: it reveals nothing, and the number has to be typed. */
  readonly handle: string;
  /** The address of its page. */
  readonly link: string;
  /** The origin of that page. */
  readonly portal: string;
  /** Two digits, shown on the screen of the login: the user compares or types them when approving. */
  readonly number: string;
  readonly account: string;
  readonly facts: LoginFacts;
  readonly question: CredentialRequest;
  /** Base64url; used only for this login. */
  readonly challenge: string;
  readonly asked: number;
  readonly expires: number;
}

/** The answer of a browser; base64url. */
export interface BrowserAnswer {
  readonly credentialId: string;
  readonly clientDataJSON: string;
  readonly authenticatorData: string;
  readonly signature: string;
}

export type ApprovalVerdict =
  | 'approved'
  | 'denied'
  /** The key or its signature was wrong; the user may try again. */
  | 'refused'
  /** The number was not the one on the screen: this ends the approval. */
  | 'wrong-number'
  /** No pending approval has that id. */
  | 'over';

export interface Approvals {
  /** @returns what the screen of the login shows */
  open(
    account: string,
    facts: LoginFacts,
    question: CredentialRequest,
    credentials: readonly FactorRecord[],
  ): Approval;
  /** Waits for the approval, on behalf of the login. @param deadline milliseconds from now */
  wait(approval: Approval, deadline: number): KeyRequest;
  /** @param id of the link, or the handle */
  show(id: string): { readonly approval: Approval; readonly byLink: boolean } | undefined;
  /** @param number may be omitted with the id of the link */
  answer(id: string, given: BrowserAnswer, number: string | undefined): Promise<ApprovalVerdict>;
  deny(id: string): ApprovalVerdict;
  pendingOf(account: string): readonly Approval[];
  /** Reports the start and the end of approvals of one account. @returns unsubscribe */
  follow(
    account: string,
    listener: (change: { readonly approval: Approval; readonly over: boolean }) => void,
  ): () => void;
}

export interface ApprovalOptions {
  readonly assertions: Pick<Assertions, 'of'>;
  readonly randomness: Pick<Randomness, 'bytes' | 'int'>;
  readonly clock: { now(): number; monotonic(): number };
  /** The active configuration: it decides which origins a browser may report. */
  readonly origins: () => readonly string[];
}

interface Pending {
  readonly approval: Approval;
  readonly credentials: readonly FactorRecord[];
  /** Monotonic. */
  readonly ends: number;
  attempts: number;
  settle: (outcome: Assertion | FidoFailure) => void;
  readonly outcome: Promise<Assertion | FidoFailure>;
}

/** Crockford's letters: no two look alike. */
const letters = '0123456789abcdefghjkmnpqrstvwxyz';

/**
 * Invariants:
 * - an approval belongs to one login, has its own challenge, and is answered once; it lasts for 90 seconds and
 *   never longer than the login that waits for it;
 * - only a key of the account approves: its signature over this challenge is verified before "approved" is
 *   reported, and evaluated again, with its counter, by the verifier that accepts the login;
 * - at most three approvals are pending for one account; a new one evicts the oldest;
 * - a user who came from the portal's list has to type the number, and one wrong number ends the approval.
 */
export function createApprovals(options: ApprovalOptions): Approvals {
  return new PendingApprovals(options);
}

type Listener = Parameters<Approvals['follow']>[1];

class PendingApprovals implements Approvals {
  readonly #o: ApprovalOptions;
  readonly #pending = new Map<string, Pending>();
  readonly #listeners = new Map<string, Set<Listener>>();

  constructor(options: ApprovalOptions) {
    this.#o = options;
  }

  open(
    account: string,
    facts: LoginFacts,
    question: CredentialRequest,
    credentials: readonly FactorRecord[],
  ): Approval {
    const waiting = this.#of(account);
    for (const oldest of waiting.slice(0, Math.max(0, waiting.length - limits.approvalsPerAccount + 1)))
      this.#end(oldest, failed('cancelled'));
    const now = this.#o.clock.now();
    const portal = this.#o.origins()[0] ?? '';
    const id = Array.from({ length: 16 }, () => letters.charAt(this.#o.randomness.int(letters.length))).join(
      '',
    );
    const approval: Approval = {
      id,
      handle: this.#o.randomness.bytes(10).toString('base64url'),
      link: `${portal}/approve#${id}`,
      portal,
      number: String(10 + this.#o.randomness.int(90)),
      account,
      facts,
      question,
      challenge: this.#o.randomness.bytes(32).toString('base64url'),
      asked: now,
      expires: now + limits.approvalDeadline,
    };
    let settle: Pending['settle'] = () => undefined;
    const outcome = new Promise<Assertion | FidoFailure>((resolve) => {
      settle = resolve;
    });
    const ends = this.#o.clock.monotonic() + limits.approvalDeadline;
    this.#pending.set(approval.id, { approval, credentials, ends, attempts: 0, settle, outcome });
    this.#tell(approval, false);
    return approval;
  }

  wait(approval: Approval, deadline: number): KeyRequest {
    const found = this.#live(approval.id);
    const nothing = { pin: (pin: Buffer) => void pin.fill(0), cancel: () => undefined };
    if (found === undefined) return { outcome: Promise.resolve(failed('no-touch')), ...nothing };
    const left = Math.min(deadline, found.ends - this.#o.clock.monotonic());
    const timer = setTimeout(() => this.#end(found, failed('no-touch')), Math.max(0, left));
    const outcome = found.outcome.finally(() => clearTimeout(timer));
    return { outcome, ...nothing, cancel: () => this.#end(found, failed('cancelled')) };
  }

  show(id: string): ReturnType<Approvals['show']> {
    const found = this.#live(id);
    return found && { approval: found.approval, byLink: found.approval.id === id };
  }

  async answer(id: string, given: BrowserAnswer, number: string | undefined): Promise<ApprovalVerdict> {
    const found = this.#live(id);
    if (found === undefined) return 'over';
    const isRight = number === found.approval.number;
    if (!isRight && (number !== undefined || found.approval.id !== id)) {
      this.#end(found, failed('denied'));
      return 'wrong-number';
    }
    found.attempts += 1;
    const assertion = assertionOf(given, found.approval.challenge, this.#o.origins());
    const { signed } = await this.#o.assertions.of(assertion, found.credentials);
    const isGood = found.credentials.some((record) => {
      const credential = credentialOf(record);
      return credential !== undefined && signed?.(assertion, credential) !== undefined;
    });
    // Another tab may have been faster while the signature was verified.
    if (this.#live(id) !== found) return 'over';
    if (isGood) {
      this.#end(found, assertion);
      return 'approved';
    }
    if (found.attempts >= limits.answersPerCall) this.#end(found, failed('denied'));
    return 'refused';
  }

  deny(id: string): ApprovalVerdict {
    const found = this.#live(id);
    if (found === undefined) return 'over';
    this.#end(found, failed('denied'));
    return 'denied';
  }

  pendingOf(account: string): readonly Approval[] {
    return this.#of(account).map(({ approval }) => approval);
  }

  follow(account: string, listener: Listener): () => void {
    const all = this.#listeners.get(account) ?? new Set();
    this.#listeners.set(account, all.add(listener));
    return () => {
      all.delete(listener);
      if (all.size === 0) this.#listeners.delete(account);
    };
  }

  #tell(approval: Approval, over: boolean): void {
    for (const listener of this.#listeners.get(approval.account) ?? []) listener({ approval, over });
  }

  #end(found: Pending, outcome: Assertion | FidoFailure): void {
    if (!this.#pending.delete(found.approval.id)) return;
    found.settle(outcome);
    this.#tell(found.approval, true);
  }

  #live(id: string): Pending | undefined {
    const found =
      this.#pending.get(id) ?? [...this.#pending.values()].find(({ approval }) => approval.handle === id);
    if (found === undefined || this.#o.clock.monotonic() < found.ends) return found;
    this.#end(found, failed('no-touch'));
    return undefined;
  }

  /** The oldest come first, and all last equally long. */
  #sweep(): void {
    for (const found of this.#pending.values()) {
      if (this.#o.clock.monotonic() < found.ends) return;
      this.#end(found, failed('no-touch'));
    }
  }

  #of(account: string): readonly Pending[] {
    this.#sweep();
    return [...this.#pending.values()].filter(({ approval }) => approval.account === account);
  }
}

/**
 * The challenge and the origin come from the request: the origin that a browser reports only selects among ours,
 * and the signature covers it.
 */
export function assertionOf(given: BrowserAnswer, challenge: string, origins: readonly string[]): Assertion {
  const clientDataJSON = Buffer.from(given.clientDataJSON, 'base64url');
  return {
    credentialId: given.credentialId,
    challenge,
    origin: originIn(clientDataJSON, origins),
    clientDataJSON,
    authenticatorData: Buffer.from(given.authenticatorData, 'base64url'),
    signature: Buffer.from(given.signature, 'base64url'),
  };
}

/** @returns one of our origins; the first if the browser reports another, and then its signature does not verify */
export function originIn(clientDataJSON: Buffer, origins: readonly string[]): string {
  try {
    const parsed: unknown = JSON.parse(clientDataJSON.toString());
    const said = typeof parsed === 'object' && parsed !== null && 'origin' in parsed ? parsed.origin : '';
    return origins.find((origin) => origin === said) ?? origins[0] ?? '';
  } catch {
    return origins[0] ?? '';
  }
}

function failed(reason: FidoReason): FidoFailure {
  return { kind: 'failed', reason, detail: '' };
}
