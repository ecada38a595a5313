import { rootFactorsText } from '../../daemon/api/permissions.ts';
import type { EnrolBody, EnrolView, UserView } from '../../daemon/api/views.ts';
import { ControlError } from '../../daemon/client/client.ts';
import { type Context, needed } from '../lib/context.ts';

/** Shared by all `factor add` commands. */

/** The code that proves the new factor works, or false for --no-verify. */
export type Proof = Pick<EnrolBody, 'verify' | 'code'>;

/** The prompt for a code, and the error if standard input has none. */
export interface Asked {
  readonly question: string;
  readonly missing: string;
}
const currentCode: Asked = {
  question: 'Code that the device shows now: ',
  missing: 'no code on standard input; pipe one in, or use --no-verify',
};
/** Number of attempts to type a code. */
const attempts = 3;

/** Call before a secret is generated or shown. @throws ControlError no-such-account, not-permitted */
export async function mayAdd(context: Context, user: string): Promise<UserView> {
  const found = await context.client().user(user);
  if (found.mayAdd) return found;
  await context.signedIn();
  const again = await context.client().user(user);
  if (again.mayAdd) return again;
  throw new ControlError(
    'not-permitted',
    again.uid === 0
      ? `${rootFactorsText}; use sudo`
      : 'only root, an administrator or the account itself can add a factor; use sudo',
  );
}

/**
 * Asks whether the daemon would accept this factor, before a secret is shown: sends the request without its code,
 * which the daemon verifies last.
 * @throws ControlError the daemon's reason: factor-kind-not-allowed, name-taken, too-many-factors
 */
export async function mayAddThis(
  context: Context,
  { account, mayAddUnverified }: UserView,
  verify: boolean,
  bodyWith: (proof: Proof) => EnrolBody,
): Promise<void> {
  if (!verify && mayAddUnverified === false)
    throw new ControlError(
      'not-permitted',
      'only root can add a factor without a current code; omit --no-verify, or use sudo',
    );
  try {
    await context.client().addFactor(account, bodyWith({ verify: true }));
  } catch (error) {
    if (!(error instanceof ControlError) || error.code !== 'wrong-code') throw error;
  }
}

/** The value of an option; for "-" it is read from the terminal or standard input. */
export async function secretFrom(
  context: Context,
  given: string,
  { what, option, form, instead }: Readonly<Record<'what' | 'option' | 'form' | 'instead', string>>,
): Promise<string> {
  if (given !== '-') {
    const article = /^[aeiou]/i.test(what) ? 'an' : 'a';
    context.output.warn(
      `${article} ${what} on the command line is visible to every user of this machine (ps); use ${option} -`,
    );
    return given;
  }
  const question = `${what.charAt(0).toUpperCase()}${what.slice(1)} (${form}): `;
  const typed = await context.prompt.askSecret(question);
  return needed(typed, `no ${what} on standard input; pipe one in${instead}`);
}

export async function enrol(
  context: Context,
  user: string,
  verify: boolean,
  bodyWith: (proof: Proof) => EnrolBody,
  asked: Asked = currentCode,
): Promise<void> {
  const send = (proof: Proof) => context.client().addFactor(user, bodyWith(proof));
  if (!verify) {
    tell(context, await send({ verify: false }));
    return;
  }
  for (let left = attempts - 1; ; left -= 1) {
    const typed = await context.prompt.ask(asked.question);
    const code = needed(typed?.trim() || undefined, asked.missing);
    try {
      tell(context, await send({ verify: true, code }));
      return;
    } catch (error) {
      if (!(error instanceof ControlError) || error.code !== 'wrong-code' || left === 0) throw error;
      if (!context.prompt.interactive) throw error;
      context.output.note(`${error.message}. Try again.`);
    }
  }
}

export function tell({ output }: Context, added: EnrolView): void {
  const { factor, account } = added;
  output.note(
    `${account} has a new factor: ${factor.kind} "${factor.name}" (${factor.id}), ${factor.detail}`,
  );
  for (const old of added.replaced) output.note(`"${old.name}" (${old.id}) is no longer valid`);
  if (added.warning !== undefined) output.warn(added.warning);
}

export function nameIn(options: { readonly name?: string }): { readonly name?: string } {
  return options.name === undefined ? {} : { name: options.name };
}
