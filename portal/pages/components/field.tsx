import type { ComponentChildren } from 'preact';
import { useId, useLayoutEffect, useRef } from 'preact/hooks';

/** Attributes that differ from field to field. */
export interface InputExtras {
  readonly autocomplete?: string;
  readonly autocapitalize?: 'off' | 'characters';
  readonly spellcheck?: boolean;
  readonly required?: boolean;
  readonly readOnly?: boolean;
  readonly maxLength?: number;
  readonly inputMode?: 'text' | 'numeric';
  readonly class?: string;
  /** Takes the focus when it appears. */
  readonly autofocus?: boolean;
  /** Has the focus when the dialog opens. */
  readonly 'data-first'?: boolean | undefined;
}

export interface FieldProps {
  readonly label: string;
  readonly value: string;
  readonly onValue: (value: string) => void;
  /** The field's error; the field gets the focus when it appears. */
  readonly error?: string | undefined;
  readonly hint?: ComponentChildren;
  readonly type?: 'text' | 'password' | 'search';
  readonly input?: InputExtras;
  /** Shown after the field, on its line. */
  readonly beside?: ComponentChildren;
}

/** A label, its field, its hint and its error. */
export function Field(props: FieldProps) {
  const id = useId();
  const ref = useRef<HTMLInputElement>(null);
  const { label, value, onValue, error, hint, type = 'text', input = {}, beside } = props;
  useLayoutEffect(() => {
    if (error !== undefined) ref.current?.focus();
  }, [error]);
  useLayoutEffect(() => {
    if (input.autofocus === true) ref.current?.focus();
  }, [input.autofocus]);
  const described = [error === undefined ? [] : `${id}-error`, hint === undefined ? [] : `${id}-hint`].flat();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <div class="field-line">
        <input
          ref={ref}
          id={id}
          type={type as 'text'}
          autocomplete={input.autocomplete}
          autocapitalize={input.autocapitalize}
          spellcheck={input.spellcheck}
          required={input.required}
          readOnly={input.readOnly}
          maxLength={input.maxLength}
          inputMode={input.inputMode}
          class={input.class}
          data-first={input['data-first']}
          value={value}
          onInput={(event) => onValue(event.currentTarget.value)}
          aria-invalid={error !== undefined}
          aria-describedby={described.length === 0 ? undefined : described.join(' ')}
        />
        {beside}
      </div>
      {hint !== undefined && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      {error !== undefined && (
        <p class="field-error" id={`${id}-error`} role="alert">
          {error}
        </p>
      )}
    </div>
  );
}

export interface CheckProps {
  readonly label: string;
  readonly checked: boolean;
  readonly onChecked: (checked: boolean) => void;
}

export function Check({ label, checked, onChecked }: CheckProps) {
  return (
    <label class="check">
      <input type="checkbox" checked={checked} onChange={(event) => onChecked(event.currentTarget.checked)} />
      <span>{label}</span>
    </label>
  );
}
