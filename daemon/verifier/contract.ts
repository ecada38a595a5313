import type { Approval, Approvals } from '../authenticators/approvals.ts';
import type { Assertions } from '../authenticators/assertions.ts';
import type { CredentialRequest, KeyRequests } from '../authenticators/key-requests.ts';
import type { CreationOptions, Registration } from '../authenticators/registrations.ts';
import type { Validations } from '../authenticators/validations.ts';
import type { Config } from '../config/contract.ts';
import type { Answer } from '../factors/answer-format.ts';
import type { Assertion, FactorContext, OtpAlgorithm, OtpDigits, Resync } from '../factors/contract.ts';
import type { FactorSummary } from '../factors/kinds.ts';
import type { RecoveryRecord } from '../factors/recovery.ts';
import type { TotpRecord } from '../factors/totp.ts';
import type { U2fCredential } from '../factors/u2f.ts';
import type { Accounts } from '../host/accounts.ts';
import type { Log } from '../lib/log.ts';
import type { LogAggregator } from '../lib/log-aggregator.ts';
import type { Randomness } from '../lib/randomness.ts';
import type { LoginFacts } from '../policy/contract.ts';
import type { AcceptedAnswer, Store } from '../store/contract.ts';
import type { LoginAccounts } from './login-accounts.ts';
import type { RateLimiter } from './rate-limiter.ts';

/** PAM codes that may travel in RESULT (docs/reference/protocol.md, "Return codes"). */
export type ResultCode = 'success' | 'ignore' | 'auth-err' | 'maxtries' | 'perm-denied' | 'system-err';

/** How a login begins. */
export type Opening =
  /**
   * Decided without an answer; its event is committed (or, for what needs no commit, in the log). success: a
   * key that sshd has verified is the second factor, and its commit is durable.
   */
  | { readonly kind: 'done'; readonly result: ResultCode; readonly text?: string }
  | {
      readonly kind: 'ask';
      readonly prompt: string;
      readonly text?: string;
      /** Seeds and the like: only for the eyes of the person, and shown with the prompt. */
      readonly secret?: string;
      readonly login: OpenLogin;
      /** A security key of this machine may answer too. */
      readonly key?: KeyOption;
    };

/** A login that waits for an answer. Held by one connection, in memory, and nowhere else. */
export interface OpenLogin {
  readonly facts: LoginFacts;
  /** What NSS said, and when by the monotonic clock; asked again for an answer that comes later. */
  readonly subject?: { readonly value: LoginAccounts; readonly at: number };
  /** What its approval has to sign; whatever another login's did is judged against this. */
  readonly challenge?: string;
  /** What the last answer left to prove (HOTP, two codes in a row). */
  readonly resync?: Resync;
  /** A first factor that is being added; nothing of it is stored before all of it is done. */
  readonly enrolment?: FirstEnrolment;
}

export type Verdict =
  /** What was answered was right, and there is one more question. */
  | {
      readonly kind: 'next';
      readonly prompt: string;
      /** As in an opening. */
      readonly secret: string;
      readonly login: OpenLogin;
    }
  | {
      readonly kind: 'accepted';
      /** success after a factor; ignore when fresh records say that none is needed any more. */
      readonly result: 'success' | 'ignore';
      /** Bytes at the end of the answer that were the factor; 0 in mode prompt. */
      readonly strip: number;
      /** As below; absent: none. */
      readonly delay?: number;
      /** "3 recovery keys are left." */
      readonly text?: string;
    }
  | {
      readonly kind: 'refused';
      /** The call may go on with another answer: the daemon counts them and sends MAXTRIES. */
      readonly again: boolean;
      readonly result: 'auth-err' | 'maxtries' | 'perm-denied' | 'system-err';
      readonly text?: string;
      /** It was the answer that was accepted a moment ago. */
      readonly repeats?: true;
      /** Milliseconds by which this answer's frame is held back. */
      readonly delay: number;
      readonly login: OpenLogin;
    };

/** denied: whoever was to approve it in a browser said no; stopped: the daemon was. */
export type AbandonReason = 'cancelled' | 'timed-out' | 'disconnected' | 'denied' | 'stopped';

/** The heart: account -> decision -> answer -> verdict -> one commit. Every way in goes through it. */
export interface Verifier {
  open(facts: LoginFacts): Promise<Opening>;
  /**
   * What was typed is wiped before it returns.
   * @param ended aborted once the call is over: then nothing is accepted any more. Its reason may be 'timed-out'
   */
  answer(login: OpenLogin, answer: Answer, ended?: AbortSignal): Promise<Verdict>;
  /** The login ended without a decision: one event for a proven one. */
  abandon(login: OpenLogin, reason: AbandonReason): Promise<void>;
  /** `sallyport verify`: spends a code as a login would, and counts as one. */
  verify(request: VerifyRequest): Promise<VerifyResult>;
  /** Adds a factor; a code that proves it is spent. */
  enrol(request: EnrolRequest): Promise<EnrolResult>;
  /**
   * What a security key is to be asked for, for `enrol` with kind webauthn. Nothing is stored.
   * @throws SallyportError `no-relying-party`, `factor-kind-not-allowed`, `too-many-factors`
   */
  creationOptions(user: string): Promise<CreationOptions>;
  /** What a legacy key is to be asked, for `enrol` with kind u2f. @throws SallyportError as `enrol` */
  legacyQuestion(user: string, credential: U2fCredential): Promise<CredentialRequest>;
}

export interface VerifyRequest {
  readonly actor: string;
  /** Name as typed. */
  readonly user: string;
  readonly answer: Buffer;
  /** The answer before this one, for HOTP resync by two codes in a row. It is not judged again by itself. */
  readonly previous?: Buffer;
}

export type VerifyResult =
  | { readonly outcome: 'accepted'; readonly factor: FactorSummary; readonly text?: string }
  | {
      readonly outcome: 'refused';
      /** Stable: wrong, replay, clock, shape, locked, no-factor, disabled. */
      readonly reason: string;
      readonly text: string;
      /** The next code in a row would bring an HOTP token back into step. */
      readonly resync: boolean;
    };

export type EnrolRequest = {
  readonly actor: string;
  readonly user: string;
  readonly name?: string;
  /** A current code; left out only by an admin who says so. */
  readonly code?: Buffer;
  readonly verify: boolean;
} & (
  | {
      readonly kind: 'totp';
      readonly secret: Buffer;
      readonly digits: OtpDigits;
      readonly period: number;
      readonly algorithm: OtpAlgorithm;
    }
  | {
      readonly kind: 'hotp';
      readonly secret: Buffer;
      readonly digits: OtpDigits;
      readonly algorithm: OtpAlgorithm;
      readonly counter: number;
    }
  /** What the touch that is its `code` says it is. */
  | { readonly kind: 'yubikey'; readonly validation: 'cloud' }
  | {
      readonly kind: 'yubikey';
      readonly validation: 'local';
      /** Modhex. */
      readonly publicId: string;
      readonly privateId: Buffer;
      /** The AES key. */
      readonly secret: Buffer;
    }
  /** It is its own proof: the key made it for a challenge of ours. */
  | { readonly kind: 'webauthn'; readonly registration: Registration }
  | {
      readonly kind: 'u2f';
      readonly credential: U2fCredential;
      /** What proves it, unless an admin says that none is needed. */
      readonly assertion?: Assertion;
    }
  /** A FIDO key of ssh's: the line of its .pub file. It has no code. */
  | { readonly kind: 'ssh-sk'; readonly publicKey: string }
  | { readonly kind: 'recovery' }
  /** A code that an admin gives, good for so many milliseconds. */
  | { readonly kind: 'bypass'; readonly forMs: number }
);

export interface EnrolResult {
  readonly account: string;
  readonly factor: FactorSummary;
  /** The ten keys in clear, once; only for kind recovery. */
  readonly recoveryKeys?: readonly string[];
  /** In clear, once, "123 456 789"; only for kind bypass. */
  readonly bypassCode?: string;
  /** Factors that a new one put out of use: the old recovery set, the old bypass code. */
  readonly replaced: readonly FactorSummary[];
  /** Why it counts for nothing as things stand. */
  readonly warning?: string;
}

/** What a verifier stands on. */
export interface VerifierOptions {
  readonly store: Store;
  readonly accounts: Accounts;
  /** The configuration in force; it may change between two calls. */
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
  /** Names that are no accounts, and tries that the throttle turned away: one line now and then. */
  readonly unknownNames: LogAggregator;
  readonly throttled: LogAggregator;
  readonly log: Log;
}

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Milliseconds from some start; it never steps. */
  monotonic(): number;
}

/** A first factor as it is being added in a login: in memory, with the login, and nowhere else. */
export interface FirstEnrolment {
  /** Not stored; once a code was right it carries the mark of that code. */
  readonly factor: TotpRecord;
  /** Shown once the code was right; not stored either. */
  readonly recovery?: RecoveryRecord;
  /** The code that was right. */
  readonly accepted?: AcceptedAnswer;
}

/** A security key may answer a login too. */
export type KeyOption = {
  readonly question: CredentialRequest;
  /** What may be typed in its place; undefined: nothing. */
  readonly typed?: string;
} & (
  | {
      /** One of this machine. */
      readonly place: 'here';
      /** One is plugged in: it may blink at once. */
      readonly plugged: boolean;
    }
  /** Somewhere else, on a page that approves this login. */
  | {
      readonly place: 'approval';
      readonly approval: Approval;
      /** The link may be shown. */
      readonly linkShown: boolean;
    }
  /** On the very page that asks. */
  | { readonly place: 'page' }
);
