import type { ValidationServers } from '../config/contract.ts';
import type { Answer } from '../factors/answers/answer-format.ts';
import type { Validated } from '../factors/contract.ts';
import { Outside } from '../lib/account-mutex.ts';
import { networkKey } from '../lib/network-key.ts';
import { createSlots, type Slots } from '../lib/slots.ts';
import { limits } from '../limits.ts';

/**
 * Queries the servers about one OTP. Never throws: without a verdict the result is `unavailable`.
 * @param within milliseconds; @param ended aborted when the answer is no longer wanted
 */
export type AskServers = (
  servers: ValidationServers,
  otp: string,
  within: number,
  ended?: AbortSignal,
) => Promise<ReturnType<Validated>>;

/** The party for which the servers are queried. */
export interface Asker {
  readonly account: string;
  /** The origin of the call; undefined if its first factor is verified: the account then has its own slots. */
  readonly unverified?: string;
  /** Aborted when the call is over. */
  readonly ended?: AbortSignal;
}

export interface Validations {
  /**
   * The query to run first, if the answer is an OTP of a YubiKey that servers validate.
   * @param servers undefined if the realm names none
   * @param question `otp`: the part of the answer that the servers validate, undefined if none
   * @returns undefined if no query is needed, or it is done already
   */
  needed(
    servers: ValidationServers | undefined,
    question: { readonly answer: Answer; readonly otp: string | undefined },
    asker: Asker,
  ): Outside | undefined;
  /** The servers' verdict on this answer. */
  said(answer: Answer): Validated | undefined;
}

/**
 * Invariants:
 * - servers are asked only about an OTP whose public id belongs to a factor that may be used in this login, so that
 *   a password typed at the wrong prompt never leaves the machine;
 * - an answer is asked about once, however often it is decided again;
 * - logins whose first factor is verified have slots of their own, and each account its share of them: a server
 *   that is slow or silent, and a caller that causes such requests, holds up no login of another account, and no unverified call
 *   holds up a verified one.
 */
export function createValidations(
  ask: AskServers,
  slots: Readonly<Record<'verified' | 'unverified', Slots>> = {
    verified: createSlots(limits.validationsVerified),
    unverified: createSlots(limits.validationsUnverified),
  },
): Validations {
  const known = new WeakMap<Buffer, Validated>();
  return {
    needed(servers, { answer, otp }, { account, unverified, ended }) {
      if (!Buffer.isBuffer(answer) || otp === undefined || known.has(answer)) return undefined;
      return new Outside(async () => {
        let verdict: ReturnType<Validated> = 'unavailable';
        if (servers !== undefined) {
          const within = unverified === undefined ? limits.validationWait : limits.unverifiedValidationWait;
          const pool = unverified === undefined ? slots.verified : slots.unverified;
          const owners = [
            `account ${account}`,
            ...(unverified === undefined ? [] : [`from ${networkKey(unverified)}`]),
          ];
          const ran = await pool.run(owners, within, () => ask(servers, otp, within, ended));
          if (ran.kind === 'done') verdict = ran.value;
        }
        known.set(answer, (asked) => (asked === otp ? verdict : 'unavailable'));
      });
    },
    said: (answer) => (Buffer.isBuffer(answer) ? known.get(answer) : undefined),
  };
}
