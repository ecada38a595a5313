import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { type AssertionBody, parseLink, type SignInAnswerBody } from '../../daemon/api/sign-in-views.ts';
import type { Confirmation as Proof, SignInReply } from '../contract.ts';
import { ApiError, call } from './api.ts';
import { Field } from './components/field.tsx';
import { cameByLink, isRecentlyConfirmed, usePortal } from './session.ts';
import { type FactorStep, SecondFactor } from './sign-in/second-factor.tsx';

/** The proof that a change wants, in the dialog of the change. */
export interface Confirmation {
  readonly fields: ComponentChildren;
  /** All that is asked for now is filled in. */
  readonly filled: boolean;
  /** Proves what is left to prove. False: something is wrong or more is asked for; the fields say what. */
  readonly prove: () => Promise<boolean>;
  /** Runs a change that may turn out to want a proof. Undefined: it does, and the fields ask for it now. */
  readonly run: <Result>(change: () => Promise<Result>) => Promise<Result | undefined>;
}

export interface ConfirmationOptions {
  /** The password is asked for and checked although changes are free as yet. */
  readonly always?: boolean;
  /** A key has proven what was left: the dialog may go on as if its button had been pressed. */
  readonly onProven: () => Promise<void> | void;
}

interface Asked {
  readonly id: string;
  readonly step: FactorStep;
}

/** Whoever came by a link may have no password: then another link confirms, as it is printed. */
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
  /** Set when the session is renewed while the dialog runs: the render that saw it lies behind. */
  const proven = useRef(false);
  const [busy, setBusy] = useState(false);

  useEffect(() => {
    setPassword('');
    setAsked(undefined);
    setAnswer('');
    proven.current = false;
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
      proven.current = true;
      return true;
    }
    setAsked({ id: reply.id, step: reply.step });
    setAnswerError(reply.step.text);
    return false;
  };

  const provePassword = async (isDemanded = demanded): Promise<boolean> => {
    setPasswordError(undefined);
    try {
      const reply = await call('POST /api/confirm', { body: proofIn(password, byLink) });
      // The password is right, and the factor was used within the last minutes: that is proof enough.
      if (reply.step.kind === 'factor' && free && !isDemanded) {
        proven.current = true;
        return true;
      }
      return heard(reply);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setPasswordError(error.message);
      return false;
    }
  };

  const proveFactor = async (given: SignInAnswerBody): Promise<boolean> => {
    if (asked === undefined) return false;
    setAnswerError(undefined);
    try {
      return heard(await call('POST /api/sign-in/:id', { path: { id: asked.id }, body: given }));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      // That question is over: the next try begins with the password again.
      setAsked(undefined);
      setAnswer('');
      setPasswordError(error.message);
      return false;
    }
  };

  const prove = async (): Promise<boolean> => {
    if (!wanted || proven.current) return true;
    setBusy(true);
    try {
      return await (asked === undefined ? provePassword() : proveFactor({ kind: 'typed', answer }));
    } finally {
      setBusy(false);
    }
  };

  const onKey = async (assertion: AssertionBody) => {
    if (await proveFactor({ kind: 'assertion', ...assertion })) await options.onProven();
  };

  const run = async <Result,>(change: () => Promise<Result>): Promise<Result | undefined> => {
    if (!(await prove())) return undefined;
    try {
      return await change();
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 'confirm-needed') throw error;
      // The server's clock decides, whatever this page took to be free.
      proven.current = false;
      setDemanded(true);
      if (password === '') {
        setPasswordError(byLink ? undefined : 'Type your password to go on.');
        return undefined;
      }
      return (await provePassword(true)) ? await change() : undefined;
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
          proven.current = false;
          setAsked(undefined);
        }}
        error={passwordError}
        hint={
          byLink
            ? 'Your own. Without a password: what "sallyport portal link" prints on the machine.'
            : `Your own, as ${session.person?.account ?? ''}: every change is confirmed by it.`
        }
        input={{ autocomplete: 'current-password', required: true }}
      />
      {asked !== undefined && (
        <fieldset>
          <legend>Your password is right. Now a second factor that you have already:</legend>
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
  return { fields, filled: !wanted || (password !== '' && answered), prove, run };
}
