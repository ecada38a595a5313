import type { Config } from '../config/contract.ts';
import { defaults } from '../config/defaults.ts';
import { type Answer, answerFormatOf } from '../factors/answers/answer-format.ts';
import type { FactorContext } from '../factors/contract.ts';
import { groupedBase32 } from '../factors/encodings/base32.ts';
import type { TotpToken } from '../factors/encodings/otpauth.ts';
import { shortOtpauthUris } from '../factors/encodings/otpauth.ts';
import { kinds } from '../factors/kinds.ts';
import { newRecovery, type RecoveryRecord } from '../factors/recovery.ts';
import { seedLengths } from '../factors/seed.ts';
import { newTotp, type TotpRecord, totp } from '../factors/totp.ts';
import { SallyportError } from '../lib/errors.ts';
import { qrCode } from '../lib/qr.ts';
import type { Randomness } from '../lib/randomness.ts';
import { offsetText } from '../lib/units.ts';
import { limits } from '../limits.ts';
import { type AcceptedAnswer, emptyRecord } from '../store/contract.ts';
import { contextOf } from './answer-context.ts';
import { type Assessment, withLogin } from './assessment.ts';
import type { AuditedStore } from './audited-store.ts';
import type { FirstEnrolment, Opening, OpenLogin, Verdict } from './contract.ts';
import { changeEvent, loginEvent } from './events.ts';
import { refused } from './refusal-rules.ts';
import { acceptedAnswer } from './replay.ts';

export interface FirstEnrolmentOptions {
  readonly auditedStore: AuditedStore;
  readonly keyedHash: FactorContext['keyedHash'];
  readonly randomness: Randomness;
}

const codePrompt = 'Verification code: ';
const storedPrompt = 'Type "yes" once you have stored them: ';

/** PAM does not report the size of a terminal, so the smallest usual one is assumed. */
const screen = { columns: 80, rows: 24 };

/** Starts with a new secret: a QR code where it fits, and the secret in letters. */
export function openFirst(
  login: OpenLogin,
  { realm, subject, now }: Assessment,
  { issuer, portal }: Pick<Config, 'issuer' | 'portal'>,
  randomness: Randomness,
): Opening {
  if (realm === undefined)
    throw new SallyportError(
      'internal',
      'internal error: a first factor without a realm; please report this',
    );
  const { digits, period, algorithm } = realm.totp;
  const account = subject.target.name;
  const seed = randomness.bytes(seedLengths.random[algorithm]);
  const base = {
    id: randomness.bytes(6).toString('hex'),
    name: totp.words.name,
    created: now,
    enabled: true,
  };
  const factor = newTotp({ secret: seed, digits, period, algorithm }, base, []);
  const token: TotpToken = { kind: factor.kind, issuer, account, seed, digits, algorithm, period };
  const secret = secretText(token, portal?.origins[0]);
  seed.fill(0);
  return { kind: 'ask', prompt: codePrompt, secret, login: { ...login, enrolment: { factor } } };
}

/**
 * The picture starts on a separate line: OpenSSH's client puts "(user@host) " in front of the first one. What can
 * be typed comes last, just above the prompt: it stays visible where a client drops or escapes the blocks, or where
 * lines have scrolled off a console.
 */
function secretText(token: TotpToken, portal: string | undefined): string {
  const typed = [...parametersText(token), `No picture? Type in: ${groupedBase32(token.seed)}`];
  const head = 'Add a second factor: scan this in an authenticator app.';
  const around = [head, ...typed, codePrompt];
  const picture = qrCode(shortOtpauthUris(token), {
    style: 'plain',
    columns: screen.columns,
    rows: screen.rows - rowsOf(around),
    bytes: limits.textLength - Buffer.byteLength(around.join('\n')) - 1,
  });
  if (picture !== undefined) return [head, picture, ...typed].join('\n');
  return [
    'You need a second factor. Type this secret into an authenticator app:',
    groupedBase32(token.seed),
    ...parametersText(token),
    ...(portal === undefined ? [] : [`(or cancel, and add one at ${portal})`]),
  ].join('\n');
}

/** Parameters that differ from an app's defaults. */
function parametersText({ algorithm, digits, period }: TotpToken): string[] {
  const { totp: usual } = defaults;
  if (algorithm === usual.algorithm && digits === usual.digits && period === usual.period) return [];
  return [`By hand: ${digits} digits, every ${period} seconds, ${algorithm.toUpperCase()}.`];
}

function rowsOf(lines: readonly string[]): number {
  return lines.reduce((rows, line) => rows + Math.max(1, Math.ceil(line.length / screen.columns)), 0);
}

/**
 * Invariants:
 * - nothing is stored before the code was correct and the user has confirmed storing the recovery keys; a login
 *   that ends earlier leaves nothing and is refused;
 * - each refusal on the way leaves an event and is not counted: there is nothing to guess yet;
 * - then one commit holds everything: both factors, the code's last-used counter, the login and their events, if
 *   policy still asks for it and the account still has no factor.
 *
 * @returns undefined if another commit came first; decide again
 */
export async function answerFirst(
  options: FirstEnrolmentOptions,
  login: OpenLogin,
  enrolment: FirstEnrolment,
  assessed: Assessment,
  given: Answer,
): Promise<Verdict | undefined> {
  const { decision, realm, now } = assessed;
  const no = async (reason: string, refusal: { readonly text: string; readonly again: boolean }) => {
    const said = { outcome: 'refused', reason, at: now, realm: decision.realm } as const;
    await options.auditedStore.note(loginEvent(assessed.subject, login.facts, said));
    return refused(login, { result: 'auth-err', ...refusal });
  };
  if (decision.kind !== 'enrol' || realm === undefined)
    return no('factors-changed', {
      again: false,
      text: 'Your second factors were changed meanwhile. Log in again.',
    });
  const answer = Buffer.isBuffer(given) ? given : Buffer.alloc(0);
  if (enrolment.recovery !== undefined)
    return /^\s*yes\s*$/i.test(answer.toString())
      ? finish(options, login, assessed, [enrolment.factor, enrolment.recovery], enrolment.accepted)
      : no('unconfirmed', { again: true, text: 'Store them first, then type: yes' });
  const { factor } = enrolment;
  const shape = answerFormatOf(answer, new Set([factor.digits]));
  const context = { ...contextOf(realm, now, options.keyedHash), firstFactorVerified: true };
  const verdict = totp.verify(factor, shape, context);
  if (verdict.outcome === 'refused')
    return no('wrong', {
      again: true,
      text:
        verdict.offset === undefined
          ? 'That is not a current code for this secret. Check the clock of your device.'
          : `That is ${offsetText(verdict.offset.seconds)}. Set the clock of your device right.`,
    });
  const base = {
    id: options.randomness.bytes(6).toString('hex'),
    name: kinds.recovery.words.name,
    created: now,
    enabled: true,
  };
  const { record: recovery, recoveryKeys: keys } = newRecovery(base, options);
  const accepted = acceptedAnswer(shape, assessed.subject.target.name, factor, realm, now);
  const text = [
    'Correct. These recovery keys let you log in when your device is lost; each works once. Store them now:',
    ...keys,
  ].join('\n');
  return {
    kind: 'next',
    prompt: storedPrompt,
    secret: text,
    login: {
      ...login,
      enrolment: { factor: verdict.record, recovery, ...(accepted === undefined ? {} : { accepted }) },
    },
  };
}

async function finish(
  { auditedStore }: FirstEnrolmentOptions,
  login: OpenLogin,
  assessed: Assessment,
  factors: readonly [TotpRecord, RecoveryRecord],
  accepted: AcceptedAnswer | undefined,
): Promise<Verdict | undefined> {
  const { subject, versioned, decision, now } = assessed;
  const account = subject.target.name;
  const record = versioned.value ?? emptyRecord(account, now, subject.target.uid);
  const { realm } = decision;
  const { host } = login.facts;
  const enrolled = factors.map((factor) => ({
    ...changeEvent('factor-added', {
      outcome: 'done',
      reason: factor === factors[0] ? 'verified' : 'unverified',
      account,
      at: now,
      actor: 'login',
      realm,
      factor,
    }),
    ...(host === undefined ? {} : { host }),
  }));
  const [factor] = factors;
  const success = { outcome: 'success', reason: 'enrolled', at: now, realm, factor } as const;
  const events = [...enrolled, loginEvent(subject, login.facts, success)];
  const write = {
    ...withLogin(record, assessed, login.facts),
    factors,
    grants: [],
    ...(accepted === undefined ? {} : { accepted }),
  };
  if (!(await auditedStore.change({ record, version: versioned.version }, write, events))) return undefined;
  return { kind: 'accepted', result: 'success', strip: 0 };
}
