import type { ComponentChildren } from 'preact';
import { useEffect, useId, useLayoutEffect, useRef } from 'preact/hooks';

export interface DialogProps {
  readonly title: string;
  /** Called on Escape, Cancel, or a click beside a dialog that may be closed. */
  readonly onClose: () => void;
  /** Called on Enter in a field, or the button of type submit. */
  readonly onSubmit?: () => Promise<void> | void;
  /** False: Escape does not close it. */
  readonly leavable?: boolean;
  readonly children: ComponentChildren;
  /** The buttons, in the order of the Tab key. */
  readonly actions: ComponentChildren;
  readonly wide?: boolean;
}

/**
 * The browser's modal dialog: it keeps the focus inside and the page behind it inert. When it closes, the focus returns
 * to where it was.
 */
export function Dialog(props: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null);
  const title = useId();
  useLayoutEffect(() => {
    const before = document.activeElement;
    ref.current?.showModal();
    focusFirst(ref.current);
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  useEffect(() => {
    const dialog = ref.current;
    if (dialog === null) return;
    const cancel = (event: Event) => {
      event.preventDefault();
      if (props.leavable !== false) props.onClose();
    };
    // Chromium closes at the second Escape whatever `cancel` does; the key event can be stopped.
    const key = (event: KeyboardEvent) => {
      if (event.key !== 'Escape' || event.defaultPrevented) return;
      event.stopPropagation();
      cancel(event);
    };
    dialog.addEventListener('cancel', cancel);
    dialog.addEventListener('keydown', key);
    return () => {
      dialog.removeEventListener('cancel', cancel);
      dialog.removeEventListener('keydown', key);
    };
  }, [props.leavable, props.onClose]);
  return (
    <dialog ref={ref} class={props.wide === true ? 'dialog dialog-wide' : 'dialog'} aria-labelledby={title}>
      <form
        novalidate
        onSubmit={(event) => {
          event.preventDefault();
          void props.onSubmit?.();
        }}
      >
        <h2 id={title}>{props.title}</h2>
        <div class="dialog-body">{props.children}</div>
        <div class="dialog-actions">{props.actions}</div>
      </form>
    </dialog>
  );
}

function focusFirst(dialog: HTMLDialogElement | null): void {
  const first =
    dialog?.querySelector<HTMLElement>('[data-first]') ??
    dialog?.querySelector<HTMLElement>('input:not([disabled]), textarea, select') ??
    dialog?.querySelector<HTMLElement>('button:not([disabled])');
  first?.focus();
}
