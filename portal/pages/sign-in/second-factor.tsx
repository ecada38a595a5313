import { useEffect, useRef, useState } from 'preact/hooks';
import type { AssertionBody } from '../../../daemon/control/sign-in-views.ts';
import type { SignInReply } from '../../contract.ts';
import { messageOf } from '../api.ts';
import { Field } from '../parts/field.tsx';
import { Message } from '../parts/message.tsx';
import { askKey, KeyError } from '../security-key.ts';

export type FactorStep = Extract<SignInReply['step'], { kind: 'factor' }>;

export interface SecondFactorProps {
  readonly step: FactorStep;
  readonly value: string;
  readonly onValue: (value: string) => void;
  readonly error: string | undefined;
  /** The key has signed. */
  readonly onKey: (assertion: AssertionBody) => Promise<void>;
  readonly busy: boolean;
}

/** What the account is asked for behind the password: something typed, a key, or either. */
export function SecondFactor({ step, value, onValue, error, onKey, busy }: SecondFactorProps) {
  const [keyProblem, setKeyProblem] = useState<string>();
  const [waiting, setWaiting] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  useEffect(() => {
    root.current?.querySelector<HTMLElement>('input, button')?.focus();
  }, []);
  const { typed, key } = step;

  const useKey = async () => {
    if (key === undefined) return;
    setKeyProblem(undefined);
    setWaiting(true);
    try {
      await onKey(await askKey(key));
    } catch (problem) {
      setKeyProblem(problem instanceof KeyError ? problem.message : messageOf(problem));
    } finally {
      setWaiting(false);
    }
  };

  return (
    <div class="second-factor" ref={root}>
      {typed !== undefined && (
        <Field
          label={typed}
          value={value}
          onValue={onValue}
          error={error}
          input={{
            autocomplete: 'one-time-code',
            inputMode: 'text',
            autocapitalize: 'off',
            spellcheck: false,
            required: true,
          }}
        />
      )}
      {typed === undefined && error !== undefined && <Message kind="error">{error}</Message>}
      {key !== undefined && (
        <div class="key-choice">
          {typed !== undefined && <span class="or">or</span>}
          <button
            type="button"
            class={typed === undefined ? 'button button-main' : 'button'}
            disabled={busy || waiting}
            onClick={() => void useKey()}
          >
            {waiting ? 'Touch your security key …' : 'Use security key'}
          </button>
        </div>
      )}
      {keyProblem !== undefined && <Message kind="error">{keyProblem}</Message>}
      {typed === undefined && key === undefined && (
        <Message kind="error">
          No second factor is left that can be used here. Ask an administrator for help.
        </Message>
      )}
    </div>
  );
}
