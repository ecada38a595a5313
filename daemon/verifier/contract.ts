import type { Approval, Approvals } from '../authenticators/approvals.ts';
import type { Assertions } from '../authenticators/assertions.ts';
import type { CredentialRequest, KeyRequests } from '../authenticators/key-requests.ts';
import type { CreationOptions } from '../authenticators/registrations.ts';
import type { Validations } from '../authenticators/validations.ts';
import type { Config } from '../config/contract.ts';
import type { Answer } from '../factors/answers/answer-format.ts';
import type { Assertion, FactorContext, Registration, Resync } from '../factors/contract.ts';
import type { FactorSummary, NewFactor } from '../factors/kinds.ts';
import type { RecoveryRecord } from '../factors/recovery.ts';
import type { TotpRecord } from '../factors/totp.ts';
import type { Account, Accounts, HostFacts, Membership } from '../host/contract.ts';
import type { Log } from '../lib/log.ts';
import type { LogAggregator } from '../lib/log-aggregator.ts';
import type { Randomness } from '../lib/randomness.ts';
import type { LoginFacts } from '../policy/contract.ts';
import type { AcceptedAnswer, Store } from '../store/contract.ts';
import type { RateLimiter } from './rate-limiter.ts';

/** The account that logs in, and the account whose factors, failure counts and locks apply. */
export interface LoginAccounts {
  readonly target: Account;
  /** The caller of su where the realm says so; undefined if that uid has no account. */
  readonly holder: Account | undefined;
  readonly groups: ReadonlyMap<string, Membership>;
}

/** PAM codes that may travel in RESULT (docs/reference/protocol.md, "Return codes"). */
export type ResultCode = 'success' | 'ignore' | 'auth-err' | 'maxtries' | 'perm-denied' | 'system-err';

/** How a login begins. */
export type Opening =
  /**
   * Decided without an answer; its event is committed (or, where no commit is needed, in the log). success: a key
   * that sshd has verified is the second factor, and its commit is durable.
   */
  | { readonly kind: 'done'; readonly result: ResultCode; readonly text?: string }
  | {
      readonly kind: 'ask';
      readonly prompt: string;
      readonly text?: string;
      /** Secrets, such as seeds: shown only to the user, together with the prompt. */
      readonly secret?: string;
      readonly login: OpenLogin;
      /** A security key of this machine may answer too. */
      readonly key?: KeyOption;
    };

/** A login that waits for an answer. Only one connection holds it, in memory. */
export interface OpenLogin {
  readonly facts: LoginFacts;
  /** The machine that it is for. */
  readonly host: HostFacts;
  /** The NSS result, and when it was read by the monotonic clock; a late answer reads it again. */
  readonly subject?: { readonly value: LoginAccounts; readonly at: number };
  /** What the approval of this login has to sign; assertions of any other login fail against it. */
  readonly challenge?: string;
  /** What the last answer left to verify (HOTP, two codes in a row). */
  readonly resync?: Resync;
  /** A first factor that is being enrolled; nothing is stored until the enrolment is complete. */
  readonly enrolment?: FirstEnrolment;
}

export type Verdict =
  /** The answer was correct, and there is one more prompt. */
  | {
      readonly kind: 'next';
      readonly prompt: string;
      /** As in an opening. */
      readonly secret: string;
      readonly login: OpenLogin;
    }
  | {
      readonly kind: 'accepted';
      /** success after a factor; ignore if fresh records show that none is needed any more. */
      readonly result: 'success' | 'ignore';
      /** Length in bytes of the factor at the end of the answer; 0 in mode prompt. */
      readonly strip: number;
      /** As below; undefined if there is nothing to show. */
      readonly delay?: number;
      /** "3 recovery keys are left." */
      readonly text?: string;
    }
  | {
      readonly kind: 'refused';
      /** The call may go on with another answer; the daemon counts the attempts and sends MAXTRIES. */
      readonly again: boolean;
      readonly result: 'auth-err' | 'maxtries' | 'perm-denied' | 'system-err';
      readonly text?: string;
      /** The answer is the one that was accepted a moment ago. */
      readonly repeats?: true;
      /** Milliseconds by which the frame of this answer is delayed. */
      readonly delay: number;
      readonly login: OpenLogin;
    };

/** denied: the approval was denied in the browser; stopped: the daemon is stopping. */
export type AbandonReason = 'cancelled' | 'timed-out' | 'disconnected' | 'denied' | 'stopped';

/** Account → decision → answer → verdict → one commit. Every kind of login goes through it. */
export interface Verifier {
  /** @param host the machine that the login is for */
  open(facts: LoginFacts, host: HostFacts): Promise<Opening>;
  /**
   * Wipes the answer before it returns.
   * @param ended aborted once the call is over; nothing is accepted after that. Its reason may be 'timed-out'
   */
  answer(login: OpenLogin, answer: Answer, ended?: AbortSignal): Promise<Verdict>;
  /** The login ended without a decision: one event if its first factor is verified. */
  abandon(login: OpenLogin, reason: AbandonReason): Promise<void>;
  /**
   * `sallyport verify`: consumes a code as a login would, and counts failures as one.
   * @param ended aborted once the caller is gone; nothing is accepted after that
   */
  verify(request: VerifyRequest, ended?: AbortSignal): Promise<VerifyResult>;
  /**
   * Adds a factor; the code that verifies it is consumed.
   * @param ended as above
   * @throws SallyportError `request-timeout`: it was aborted, and nothing was added
   */
  enrol(request: EnrolRequest, ended?: AbortSignal): Promise<EnrolResult>;
  /**
   * What a security key is to be asked for, for `enrol` with its registration. Nothing is stored.
   * @throws SallyportError `no-relying-party`, `factor-kind-not-allowed`, `too-many-factors`
   */
  creationOptions(user: string): Promise<CreationOptions>;
  /** The credential request for a key made elsewhere, for `enrol` with its assertion. @throws SallyportError as `enrol` */
  touchRequest(user: string, factor: NewFactor<'touch'>): Promise<CredentialRequest>;
}

export interface VerifyRequest {
  readonly actor: string;
  /** The account name as typed. */
  readonly user: string;
  readonly answer: Buffer;
  /**
   * The answer before this one, for HOTP resynchronisation by two consecutive codes. It is not evaluated
   * separately.
   */
  readonly previous?: Buffer;
}

export type VerifyResult =
  | { readonly outcome: 'accepted'; readonly factor: FactorSummary; readonly text?: string }
  | {
      readonly outcome: 'refused';
      /** Stable: wrong, replay, clock, shape, locked, no-factor, disabled. */
      readonly reason: string;
      readonly text: string;
      /** The next consecutive code would resynchronise an HOTP device. */
      readonly resync: boolean;
    };

export type EnrolRequest = {
  readonly actor: string;
  readonly user: string;
  readonly name?: string;
  /** A current code; only an administrator may omit it, explicitly. */
  readonly code?: Buffer;
  /** The touch of a key that was made elsewhere. */
  readonly assertion?: Assertion;
  /** A key that was made for a challenge of ours. */
  readonly registration?: Registration;
  readonly verify: boolean;
} & NewFactor;

export interface EnrolResult {
  readonly account: string;
  readonly factor: FactorSummary;
  /** The ten keys in clear, shown once; only for kind recovery. */
  readonly recoveryKeys?: readonly string[];
  /** In clear, shown once, "123 456 789"; only for kind bypass. */
  readonly bypassCode?: string;
  /** Factors that the new one replaces: the old recovery set, the old bypass code. */
  readonly replaced: readonly FactorSummary[];
  /** Why the factor cannot be used at present; undefined if usable. */
  readonly warning?: string;
}

/** What a verifier depends on. */
export interface VerifierOptions {
  readonly store: Store;
  /** Of the machine that sallyportd runs on: for what comes over control.sock. */
  readonly accounts: Accounts;
  /** The active configuration; it may change between two calls. */
  readonly config: () => Config;
  /** HMAC-SHA256 for recovery keys, under a key derived from the master key. */
  readonly keyedHash: FactorContext['keyedHash'];
  readonly randomness: Randomness;
  readonly clock: Clock;
  readonly rateLimiter: RateLimiter;
  readonly validations: Validations;
  readonly assertions: Assertions;
  readonly keyRequests: Pick<KeyRequests, 'isPlugged'>;
  readonly approvals: Pick<Approvals, 'open'>;
  /** Names that are not accounts, and attempts that the rate limiter rejected: one line now and then. */
  readonly unknownNames: LogAggregator;
  readonly rateLimited: LogAggregator;
  readonly log: Log;
}

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Milliseconds since an arbitrary start; never set back. */
  monotonic(): number;
}

/** A first factor while it is enrolled in a login: only in memory, with the login. */
export interface FirstEnrolment {
  /** Not stored; carries the last-used counter once a code was correct. */
  readonly factor: TotpRecord;
  /** Shown once the code was correct; not stored either. */
  readonly recovery?: RecoveryRecord;
  /** The code that was correct. */
  readonly accepted?: AcceptedAnswer;
}

/** A security key that may answer a login. */
export type KeyOption = {
  readonly question: CredentialRequest;
  /** What may be typed instead; undefined if nothing. */
  readonly typed?: string;
} & (
  | {
      /** A key on this machine. */
      readonly place: 'here';
      /** A key is plugged in: it may blink at once. */
      readonly plugged: boolean;
    }
  /** A key elsewhere, on a page that approves this login. */
  | {
      readonly place: 'approval';
      readonly approval: Approval;
      /** The link may be shown. */
      readonly linkShown: boolean;
    }
  /** On the page that asks. */
  | { readonly place: 'page' }
);
