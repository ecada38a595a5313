import { useState } from 'preact/hooks';
import type { SignInAnswerBody } from '../../../daemon/api/sign-in-views.ts';
import type { SessionView, SignInReply } from '../../contract.ts';
import { ApiError, call } from '../api.ts';
import { Field } from '../components/field.tsx';
import { Message } from '../components/message.tsx';
import { rememberSignInMethod } from '../session.ts';
import { useWork } from '../use-task.ts';
import { type FactorStep, SecondFactor } from './second-factor.tsx';

export interface SignInFormProps {
  /** Replaces the password. */
  readonly link?: string | undefined;
  readonly user?: string | undefined;
  /** The account is fixed: what was begun belongs to it. */
  readonly fixed?: boolean;
  readonly onDone: (session: SessionView, text: string | undefined) => void;
  /** The link is invalid, used or expired. */
  readonly onLinkRefused?: () => void;
}

/** Account and password, or a link; then the second factor. */
export function SignInForm(props: SignInFormProps) {
  const { link, user: given = '', fixed = false } = props;
  const { entered, enter, asked, passwordNeeded, work, begin, goOn, startAgain } = useSignIn(props);
  /** After the password a security key needs no button of the form. */
  const [typing, setTyping] = useState(true);
  const { user, password, answer } = entered;
  const withPassword = link === undefined || passwordNeeded;
  const ready =
    asked === undefined ? user.trim() !== '' && (!withPassword || password !== '') : answer.trim() !== '';

  return (
    <form
      novalidate
      class="sign-in-form"
      onSubmit={(event) => {
        event.preventDefault();
        if (ready) void (asked === undefined ? begin() : goOn(asked.id, { kind: 'typed', answer }));
      }}
    >
      {asked === undefined ? (
        <Credentials
          entered={entered}
          enter={enter}
          fixed={fixed}
          given={given}
          withPassword={withPassword}
          passwordNeeded={passwordNeeded}
        />
      ) : (
        <SecondFactor
          key={asked.id}
          step={asked.step}
          value={answer}
          onValue={(typed) => enter({ answer: typed })}
          error={work.busy ? undefined : asked.step.text}
          onKey={(assertion) => goOn(asked.id, { kind: 'assertion', ...assertion })}
          busy={work.busy}
          onTyping={setTyping}
        />
      )}
      {work.problem !== undefined && <Message kind="error">{work.problem.text}</Message>}
      <div class="button-row">
        {(asked === undefined || (typing && asked.step.typed !== undefined)) && (
          <button type="submit" class="button button-main" disabled={work.busy || !ready}>
            {asked === undefined && !withPassword ? 'Continue' : 'Sign in'}
          </button>
        )}
        {asked !== undefined && (
          <button type="button" class="button" onClick={startAgain}>
            Start again
          </button>
        )}
      </div>
    </form>
  );
}

/** What was typed. */
interface Entered {
  readonly user: string;
  readonly password: string;
  readonly answer: string;
}

/** The exchange with the server. */
function useSignIn({ link, user: given = '', onDone, onLinkRefused }: SignInFormProps) {
  const [entered, setEntered] = useState<Entered>({ user: given, password: '', answer: '' });
  const enter = (part: Partial<Entered>) => setEntered((before) => ({ ...before, ...part }));
  const [asked, setAsked] = useState<{ readonly id: string; readonly step: FactorStep }>();
  /** Some invites ask for the password too: the server says so once it knows the account. */
  const [passwordNeeded, setPasswordNeeded] = useState(false);
  const work = useWork();

  const heard = ({ id, step }: SignInReply) => {
    if (step.kind === 'done') {
      rememberSignInMethod(link === undefined ? 'password' : 'link');
      onDone(step.session, step.text);
      return;
    }
    enter({ answer: '' });
    setAsked({ id, step });
  };
  const begin = () =>
    work.run(async () => {
      const user = entered.user.trim();
      const { password } = entered;
      const body =
        link === undefined
          ? { user, by: 'password' as const, password }
          : { user, by: 'link' as const, link, ...(passwordNeeded ? { password } : {}) };
      try {
        const reply = await call('POST /api/sign-in', { body });
        enter({ password: '' });
        heard(reply);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (link !== undefined && error.code === 'sign-in-refused' && !passwordNeeded) onLinkRefused?.();
        if (error.code !== 'password-needed' || passwordNeeded) throw error;
        setPasswordNeeded(true);
      }
    });
  const goOn = (id: string, body: SignInAnswerBody) =>
    work.run(async () => {
      try {
        heard(await call('POST /api/sign-in/:id', { path: { id }, body }));
      } catch (error) {
        // That sign-in has ended: the next one begins with the password.
        if (error instanceof ApiError && error.code !== 'unreachable') setAsked(undefined);
        throw error;
      }
    });
  const startAgain = () => setAsked(undefined);
  return { entered, enter, asked, passwordNeeded, work, begin, goOn, startAgain };
}

interface CredentialsProps {
  readonly entered: Entered;
  readonly enter: (part: Partial<Entered>) => void;
  readonly fixed: boolean;
  /** The account that was filled in. */
  readonly given: string;
  readonly withPassword: boolean;
  /** The server asked for the password only now. */
  readonly passwordNeeded: boolean;
}

function Credentials(props: CredentialsProps) {
  const { entered, enter, fixed, given, withPassword, passwordNeeded } = props;
  return (
    <>
      <Field
        label="Account name"
        value={entered.user}
        onValue={(user) => enter({ user })}
        input={{
          autocomplete: 'username',
          autocapitalize: 'off',
          spellcheck: false,
          required: true,
          readOnly: fixed,
          autofocus: !fixed && given === '',
        }}
      />
      {withPassword && (
        <Field
          key="password"
          label="Password"
          type="password"
          value={entered.password}
          onValue={(password) => enter({ password })}
          input={{
            autocomplete: 'current-password',
            required: true,
            'data-first': fixed ? true : undefined,
            autofocus: passwordNeeded || (!fixed && given !== ''),
          }}
        />
      )}
    </>
  );
}
