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
  const { session, update, ended } = usePortal();
  const [password, setPassword] = useState('');
  const [passwordError, setPasswordError] = useState<string>();
  const [asked, setAsked] = useState<Asked>();
  const [answer, setAnswer] = useState('');
  const [answerError, setAnswerError] = useState<string>();
  const [demanded, setDemanded] = useState(false);
  /** Set when the session is renewed while the dialog runs: the closure of an earlier render has the old state. */
  const isVerified = useRef(false);
  const [busy, setBusy] = useState(false);

  useEffect(() => {
    setPassword('');
    setAsked(undefined);
    setAnswer('');
    isVerified.current = false;
  }, [ended]);

  const free = isRecentlyConfirmed(session, Date.now());
  const byLink = cameByLink();
  const wanted = demanded || !free || (options.always === true && !byLink);

  const heard = (reply: SignInReply): boolean => {
    if (reply.step.kind === 'done') {
      update(reply.step.session);
      setAsked(undefined);
      setAnswer('');
      setDemanded(false);
      isVerified.current = true;
      return true;
    }
    setAsked({ id: reply.id, step: reply.step });
    setAnswerError(reply.step.text);
    return false;
  };

  const verifyPassword = async (isDemanded = demanded): Promise<boolean> => {
    setPasswordError(undefined);
    try {
      const reply = await call('POST /api/confirm', { body: proofIn(password, byLink) });
      // The password is correct, and the factor was used within the last minutes, which is enough.
      if (reply.step.kind === 'factor' && free && !isDemanded) {
        isVerified.current = true;
        return true;
      }
      return heard(reply);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setPasswordError(error.message);
      return false;
    }
  };

  const verifyFactor = async (given: SignInAnswerBody): Promise<boolean> => {
    if (asked === undefined) return false;
    setAnswerError(undefined);
    try {
      return heard(await call('POST /api/sign-in/:id', { path: { id: asked.id }, body: given }));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      // That challenge has ended: the next attempt begins with the password again.
      setAsked(undefined);
      setAnswer('');
      setPasswordError(error.message);
      return false;
    }
  };

  const verify = async (): Promise<boolean> => {
    if (!wanted || isVerified.current) return true;
    setBusy(true);
    try {
      return await (asked === undefined ? verifyPassword() : verifyFactor({ kind: 'typed', answer }));
    } finally {
      setBusy(false);
    }
  };

  const onKey = async (assertion: AssertionBody) => {
    if (await verifyFactor({ kind: 'assertion', ...assertion })) await options.onVerified();
  };

  const run = async <Result,>(change: () => Promise<Result>): Promise<Result | undefined> => {
    if (!(await verify())) return undefined;
    try {
      return await change();
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 'confirm-needed') throw error;
      // The server's clock decides, even if this page expected no confirmation.
      isVerified.current = false;
      setDemanded(true);
      if (password === '') {
        setPasswordError(byLink ? undefined : 'Type your password to continue.');
        return undefined;
      }
      return (await verifyPassword(true)) ? await change() : undefined;
    }
  };

  const fields = wanted ? (
    <div class="confirmation">
      <Field
        label={byLink ? 'Password or sign-in link' : 'Password'}
        type="password"
        value={password}
        onValue={(value) => {
          setPassword(value);
          setPasswordError(undefined);
          isVerified.current = false;
          setAsked(undefined);
        }}
        error={passwordError}
        hint={
          byLink
            ? 'Your own password. Without one: the link that "sallyport portal link" prints on the machine.'
            : `Your own password, for ${session.person?.account ?? ''}. It confirms every change.`
        }
        input={{ autocomplete: 'current-password', required: true }}
      />
      {asked !== undefined && (
        <fieldset>
          <legend>Your password is correct. Now use a second factor that you already have:</legend>
          <SecondFactor
            step={asked.step}
            value={answer}
            onValue={(value) => {
              setAnswer(value);
              setAnswerError(undefined);
            }}
            error={answerError}
            onKey={onKey}
            busy={busy}
          />
        </fieldset>
      )}
    </div>
  ) : null;

  const answered = asked === undefined || answer.trim() !== '';
  return { fields, filled: !wanted || (password !== '' && answered), verify, run };
}
