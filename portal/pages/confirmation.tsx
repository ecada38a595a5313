import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { type AssertionBody, parseLink, type SignInAnswerBody } from '../../daemon/api/sign-in-views.ts';
import type { Confirmation as Proof, SignInReply } from '../contract.ts';
import { ApiError, call } from './api.ts';
import { Field } from './components/field.tsx';
import { cameByLink, isRecentlyConfirmed, usePortal } from './session.ts';
import { type FactorStep, SecondFactor } from './sign-in/second-factor.tsx';

/** The confirmation that a change needs, in the dialog of the change. */
export interface Confirmation {
  readonly fields: ComponentChildren;
  /** All fields shown now are filled in. */
  readonly filled: boolean;
  /** Verifies what is still open. False: something is wrong or more is asked for; the fields say what. */
  readonly verify: () => Promise<boolean>;
  /** Runs a change that may need a confirmation. Undefined: it does, and the fields ask for it now. */
  readonly run: <Result>(change: () => Promise<Result>) => Promise<Result | undefined>;
}

export interface ConfirmationOptions {
  /** The password is asked for and verified even while changes need no confirmation. */
  readonly always?: boolean;
  /** A security key verified the rest: the dialog may go on as if its button had been pressed. */
  readonly onVerified: () => Promise<void> | void;
}

interface Asked {
  readonly id: string;
  readonly step: FactorStep;
}

/** A user who signed in with a link may have no password: then another printed link confirms. */
function proofIn(typed: string, byLink: boolean): Proof {
  const link = parseLink(typed);
  return byLink && link !== typed.trim() ? { link } : { password: typed };
}

export function useConfirmation(options: ConfirmationOptions): Confirmation {
  const { session } = usePortal();
  const [busy, setBusy] = useState(false);
  const free = isRecentlyConfirmed(session, Date.now());
  const byLink = cameByLink();
  const { entered, enter, isVerified, verifyPassword, verifyFactor } = useProof(free, byLink);
  const { password, asked, answer } = entered;
  const wanted = entered.demanded || !free || (options.always === true && !byLink);

  const verify = async (): Promise<boolean> => {
    if (!wanted || isVerified.current) return true;
    setBusy(true);
    try {
      return await (asked === undefined
        ? verifyPassword(entered.demanded)
        : verifyFactor({ kind: 'typed', answer }));
    } finally {
      setBusy(false);
    }
  };

  const run = async <Result,>(change: () => Promise<Result>): Promise<Result | undefined> => {
    if (!(await verify())) return undefined;
    try {
      return await change();
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 'confirm-needed') throw error;
      // The server's clock decides, even if this page expected no confirmation.
      isVerified.current = false;
      enter({ demanded: true });
      if (password === '') {
        enter({ passwordError: byLink ? undefined : 'Type your password to continue.' });
        return undefined;
      }
      return (await verifyPassword(true)) ? await change() : undefined;
    }
  };

  const onPassword = (typed: string) => {
    enter({ password: typed, passwordError: undefined, asked: undefined });
    isVerified.current = false;
  };
  const onKey = async (assertion: AssertionBody) => {
    if (await verifyFactor({ kind: 'assertion', ...assertion })) await options.onVerified();
  };
  const fields = wanted ? (
    <ConfirmationFields
      entered={entered}
      account={session.person?.account ?? ''}
      byLink={byLink}
      busy={busy}
      onPassword={onPassword}
      onAnswer={(typed) => enter({ answer: typed, answerError: undefined })}
      onKey={onKey}
    />
  ) : null;

  const answered = asked === undefined || answer.trim() !== '';
  return { fields, filled: !wanted || (password !== '' && answered), verify, run };
}

/** What was typed, and what the server said of it. */
interface Entered {
  readonly password: string;
  readonly passwordError: string | undefined;
  /** The second factor that the server asks for after the password. */
  readonly asked: Asked | undefined;
  readonly answer: string;
  readonly answerError: string | undefined;
  /** The server demanded a confirmation that this page did not expect. */
  readonly demanded: boolean;
}

const nothingEntered: Entered = {
  password: '',
  passwordError: undefined,
  asked: undefined,
  answer: '',
  answerError: undefined,
  demanded: false,
};

interface ConfirmationProof {
  readonly entered: Entered;
  readonly enter: (part: Partial<Entered>) => void;
  /** Set when the session is renewed while the dialog runs: the closure of an earlier render has the old state. */
  readonly isVerified: { current: boolean };
  /** @param demanded the password is not enough, however recently the factor was used */
  readonly verifyPassword: (demanded: boolean) => Promise<boolean>;
  readonly verifyFactor: (given: SignInAnswerBody) => Promise<boolean>;
}

/** The password and then the factor, until the server has renewed the session. */
function useProof(free: boolean, byLink: boolean): ConfirmationProof {
  const { update, ended } = usePortal();
  const [entered, setEntered] = useState(nothingEntered);
  const isVerified = useRef(false);
  const enter = (part: Partial<Entered>) => setEntered((before) => ({ ...before, ...part }));

  useEffect(() => {
    enter({ password: '', asked: undefined, answer: '' });
    isVerified.current = false;
  }, [ended]);

  const heard = ({ id, step }: SignInReply): boolean => {
    if (step.kind === 'done') {
      update(step.session);
      enter({ asked: undefined, answer: '', demanded: false });
      isVerified.current = true;
      return true;
    }
    enter({ asked: { id, step }, answerError: step.text });
    return false;
  };

  const verifyPassword = async (demanded: boolean): Promise<boolean> => {
    enter({ passwordError: undefined });
    try {
      const reply = await call('POST /api/confirm', { body: proofIn(entered.password, byLink) });
      // The password is correct, and the factor was used within the last minutes, which is enough.
      if (reply.step.kind === 'factor' && free && !demanded) {
        isVerified.current = true;
        return true;
      }
      return heard(reply);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      enter({ passwordError: error.message });
      return false;
    }
  };

  const verifyFactor = async (given: SignInAnswerBody): Promise<boolean> => {
    if (entered.asked === undefined) return false;
    enter({ answerError: undefined });
    try {
      const path = { id: entered.asked.id };
      return heard(await call('POST /api/sign-in/:id', { path, body: given }));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      // That challenge has ended: the next attempt begins with the password again.
      enter({ asked: undefined, answer: '', passwordError: error.message });
      return false;
    }
  };
  return { entered, enter, isVerified, verifyPassword, verifyFactor };
}

interface ConfirmationFieldsProps {
  readonly entered: Entered;
  readonly account: string;
  readonly byLink: boolean;
  readonly busy: boolean;
  readonly onPassword: (typed: string) => void;
  readonly onAnswer: (typed: string) => void;
  readonly onKey: (assertion: AssertionBody) => Promise<void>;
}

function ConfirmationFields(props: ConfirmationFieldsProps) {
  const { entered, account, byLink, busy, onPassword, onAnswer, onKey } = props;
  return (
    <div class="confirmation">
      <Field
        label={byLink ? 'Password or sign-in link' : 'Password'}
        type="password"
        value={entered.password}
        onValue={onPassword}
        error={entered.passwordError}
        hint={
          byLink
            ? 'Your own password. Without one: the link that "sallyport portal link" prints on the machine.'
            : `Your own password, for ${account}. It confirms every change.`
        }
        input={{ autocomplete: 'current-password', required: true }}
      />
      {entered.asked !== undefined && (
        <fieldset>
          <legend>Your password is correct. Now use a second factor that you already have:</legend>
          <SecondFactor
            step={entered.asked.step}
            value={entered.answer}
            onValue={onAnswer}
            error={entered.answerError}
            onKey={onKey}
            busy={busy}
          />
        </fieldset>
      )}
    </div>
  );
}
