import { useEffect, useId, useRef, useState } from 'preact/hooks';
import type { AssertionBody } from '../../../daemon/api/sign-in-views.ts';
import type { SignInReply } from '../../contract.ts';
import { messageOf } from '../api.ts';
import { Field, type InputExtras } from '../components/field.tsx';
import { Message } from '../components/message.tsx';
import { sentence } from '../labels.ts';
import { askKey, KeyError } from '../security-key.ts';

export type FactorStep = Extract<SignInReply['step'], { kind: 'factor' }>;

export interface SecondFactorProps {
  readonly step: FactorStep;
  readonly value: string;
  readonly onValue: (value: string) => void;
  readonly error: string | undefined;
  /** Called when the security key has signed. */
  readonly onKey: (assertion: AssertionBody) => Promise<void>;
  readonly busy: boolean;
  /** Whether an answer is to be typed and sent now. */
  readonly onTyping?: (typing: boolean) => void;
}

type Way = { readonly kind: 'key' } | { readonly kind: 'code' | 'recovery-key'; readonly label: string };

/** A security key first, which is one touch; then codes; recovery keys last. */
function waysOf({ typed, key }: FactorStep): readonly Way[] {
  const names = typed === undefined ? [] : typed.toLowerCase().split(' or ');
  const codes = names.filter((name) => name !== 'recovery key');
  return [
    ...(key === undefined ? [] : [{ kind: 'key' as const }]),
    ...(codes.length === 0 ? [] : [{ kind: 'code' as const, label: sentence(codes.join(' or ')) }]),
    ...(codes.length === names.length ? [] : [{ kind: 'recovery-key' as const, label: 'Recovery key' }]),
  ];
}

const nameOf = (way: Way): string => (way.kind === 'key' ? 'Security key' : way.label);

function inputFor({ kind, label }: Exclude<Way, { kind: 'key' }>): InputExtras {
  const common = { autocapitalize: 'off', spellcheck: false, required: true, class: 'mono' } as const;
  if (kind === 'recovery-key') return { ...common, autocomplete: 'off', inputMode: 'text' };
  const digits = label === 'Verification code';
  return { ...common, autocomplete: 'one-time-code', inputMode: digits ? 'numeric' : 'text' };
}

/** The second factor after the password: one way at a time, with the others offered. */
export function SecondFactor(props: SecondFactorProps) {
  const { step, value, onValue, error, busy, onTyping } = props;
  const ways = waysOf(step);
  const [chosen, setChosen] = useState<Way['kind']>();
  const way = ways.find(({ kind }) => kind === chosen) ?? ways[0];
  const root = useRef<HTMLDivElement>(null);
  const kind = way?.kind;
  // The button of a security key takes no focus while the previous step is in progress.
  const ready = kind !== 'key' || !busy;
  useEffect(() => {
    if (ready) root.current?.querySelector<HTMLElement>('input, button')?.focus();
    onTyping?.(kind !== 'key');
  }, [kind, ready]);

  return (
    <div class="second-factor" ref={root}>
      {way !== undefined && way.kind !== 'key' && (
        <Field
          key={way.kind}
          label={way.label}
          value={value}
          onValue={onValue}
          error={error}
          input={inputFor(way)}
        />
      )}
      {way?.kind === 'key' && <KeyWay {...props} />}
      {way === undefined && (
        <Message kind="error">
          You have no second factor that can be used here. Ask an administrator for help.
        </Message>
      )}
      {ways.length > 1 && (
        <OtherWays
          ways={ways.filter((other) => other !== way)}
          disabled={busy}
          onChoose={(next) => {
            onValue('');
            setChosen(next);
          }}
        />
      )}
    </div>
  );
}

function KeyWay({ step: { key }, error, onKey, busy }: SecondFactorProps) {
  const [problem, setProblem] = useState<string>();
  const [waiting, setWaiting] = useState(false);
  const useKey = async () => {
    if (key === undefined) return;
    setProblem(undefined);
    setWaiting(true);
    try {
      await onKey(await askKey(key));
    } catch (caught) {
      setProblem(caught instanceof KeyError ? caught.message : messageOf(caught));
    } finally {
      setWaiting(false);
    }
  };
  const text = problem ?? error;
  return (
    <>
      <button
        type="button"
        class="button button-main"
        disabled={busy || waiting}
        onClick={() => void useKey()}
      >
        {waiting ? 'Touch your security key …' : 'Use security key'}
      </button>
      {text !== undefined && <Message kind="error">{text}</Message>}
    </>
  );
}

interface OtherWaysProps {
  readonly ways: readonly Way[];
  readonly disabled: boolean;
  readonly onChoose: (kind: Way['kind']) => void;
}

function OtherWays({ ways, disabled, onChoose }: OtherWaysProps) {
  const [open, setOpen] = useState(false);
  const list = useId();
  return (
    <div class="other-ways">
      <button
        type="button"
        class="link"
        aria-expanded={open}
        aria-controls={list}
        onClick={() => setOpen(!open)}
      >
        Other ways
      </button>
      <div id={list} class="button-row" hidden={!open}>
        {ways.map((way) => (
          <button
            key={way.kind}
            type="button"
            class="button button-small"
            disabled={disabled}
            onClick={() => {
              setOpen(false);
              onChoose(way.kind);
            }}
          >
            {nameOf(way)}
          </button>
        ))}
      </div>
    </div>
  );
}
