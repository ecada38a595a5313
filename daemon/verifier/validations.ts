import type { ValidationServers } from '../config/contract.ts';
import type { Validated } from '../factors/contract.ts';
import { otpForServers, type Question } from './judge.ts';

/** Asks the servers about one OTP. Never throws: who cannot say is `unavailable`. */
export type AskServers = (servers: ValidationServers, otp: string) => Promise<ReturnType<Validated>>;

export interface Validations {
  /**
   * What the servers say of an answer, where it is an OTP of a YubiKey that they validate.
   * @param servers undefined: the realm names none
   * @returns waited: it took a network's time, and records that were read before are old
   */
  of(
    servers: ValidationServers | undefined,
    question: Omit<Question, 'context'>,
  ): Promise<{ readonly validated?: Validated; readonly waited: boolean }>;
}

/**
 * MUST hold:
 * - nobody is asked about an OTP whose public id is not that of a factor that may be used in this very login:
 *   a password that was typed at the wrong prompt leaves the machine for nobody;
 * - an answer is asked about once, however often it is decided again.
 */
export function createValidations(ask: AskServers): Validations {
  const known = new WeakMap<Buffer, Validated>();
  return {
    async of(servers, question) {
      const { answer } = question;
      if (!Buffer.isBuffer(answer)) return { waited: false };
      const before = known.get(answer);
      if (before !== undefined) return { validated: before, waited: false };
      const otp = otpForServers(question);
      if (otp === undefined) return { waited: false };
      const verdict = servers === undefined ? 'unavailable' : await ask(servers, otp);
      const validated: Validated = (asked) => (asked === otp ? verdict : 'unavailable');
      known.set(answer, validated);
      return { validated, waited: true };
    },
  };
}
