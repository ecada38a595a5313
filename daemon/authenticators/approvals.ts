import type { Assertion } from '../factors/contract.ts';
import type { FactorRecord } from '../factors/kinds.ts';
import { credentialOf } from '../factors/kinds.ts';
import type { FidoFailure, FidoReason } from '../host/security-keys.ts';
import type { Randomness } from '../lib/randomness.ts';
import { limits } from '../limits.ts';
import type { LoginFacts } from '../policy/contract.ts';
import type { Assertions } from './assertions.ts';
import type { CredentialRequest, KeyRequest } from './key-requests.ts';

/** A login that waits for somebody to approve it in a browser. */
export interface Approval {
  /** 80 random bits: whoever has it has the link, and may see what it is about, the number too. */
  readonly id: string;
  /** What a page of the person's own is told: nothing can be learned from it, and the number has to be typed. */
  readonly handle: string;
  /** The page of it. */
  readonly link: string;
  /** The origin of that page. */
  readonly portal: string;
  /** Two digits, on the screen of the login: whoever approves compares or types them. */
  readonly number: string;
  readonly account: string;
  readonly facts: LoginFacts;
  readonly question: CredentialRequest;
  /** Base64url; of this login alone. */
  readonly challenge: string;
  readonly asked: number;
  readonly expires: number;
}

/** What a browser answered; base64url. */
export interface BrowserAnswer {
  readonly credentialId: string;
  readonly clientDataJSON: string;
  readonly authenticatorData: string;
  readonly signature: string;
}

export type ApprovalVerdict =
  | 'approved'
  | 'denied'
  /** The key or its signature; it may be tried again. */
  | 'refused'
  /** The number was not the one on the screen: that ends it. */
  | 'wrong-number'
  /** There is none of that id, or no more. */
  | 'over';

export interface Approvals {
  /** @returns what stands on the screen of the login */
  open(
    account: string,
    facts: LoginFacts,
    question: CredentialRequest,
    credentials: readonly FactorRecord[],
  ): Approval;
  /** Waits for it, on behalf of the login. @param deadline milliseconds from now */
  wait(approval: Approval, deadline: number): KeyRequest;
  /** @param id the link's, or the handle */
  show(id: string): { readonly approval: Approval; readonly byLink: boolean } | undefined;
  /** @param number may be left out by whoever had the link */
  answer(id: string, given: BrowserAnswer, number: string | undefined): Promise<ApprovalVerdict>;
  deny(id: string): ApprovalVerdict;
  pendingOf(account: string): readonly Approval[];
  /** Told what begins and what ends, of one account. @returns how to stop */
  follow(
    account: string,
    listener: (told: { readonly approval: Approval; readonly over: boolean }) => void,
  ): () => void;
}

export interface ApprovalOptions {
  readonly assertions: Pick<Assertions, 'of'>;
  readonly randomness: Pick<Randomness, 'bytes' | 'int'>;
  readonly clock: { now(): number; monotonic(): number };
  /** Of the configuration in force; what a browser may say that it is on. */
  readonly origins: () => readonly string[];
}

interface Pending {
  readonly approval: Approval;
  readonly credentials: readonly FactorRecord[];
  /** Monotonic. */
  readonly ends: number;
  tries: number;
  settle: (outcome: Assertion | FidoFailure) => void;
  readonly outcome: Promise<Assertion | FidoFailure>;
}

/** Crockford's letters: no two that look alike. */
const letters = '0123456789abcdefghjkmnpqrstvwxyz';

/**
 * MUST hold:
 * - an approval is of one login, has a challenge of its own, and is answered once; it lives for 90 seconds and
 *   never longer than the login that waits for it;
 * - only a key of the account approves: its signature over this challenge is checked before anybody hears
 *   "approved", and judged again, counter and all, by the verifier that lets the login in;
 * - three at the most wait for one account, the oldest gives way;
 * - whoever was told by the portal has to type the number, and one wrong one ends it.
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
    this.#pending.set(approval.id, { approval, credentials, ends, tries: 0, settle, outcome });
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
    found.tries += 1;
    const assertion = assertionOf(given, found.approval.challenge, this.#o.origins());
    const { signed } = await this.#o.assertions.of(assertion, found.credentials);
    const isGood = found.credentials.some((record) => {
      const credential = credentialOf(record);
      return credential !== undefined && signed?.(assertion, credential) !== undefined;
    });
    // Another tab may have been faster while the signature was checked.
    if (this.#live(id) !== found) return 'over';
    if (isGood) {
      this.#end(found, assertion);
      return 'approved';
    }
    if (found.tries >= limits.answersPerCall) this.#end(found, failed('denied'));
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

  /** The oldest stand first, and all live equally long. */
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
 * The challenge and the origin are what was asked: what the browser says of its origin only chooses among those
 * that are ours, and is under the signature.
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

/** @returns one of ours, the first where the browser says another: then nothing it signed fits */
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
