import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { usePortal } from '../session.ts';
import { SignInForm } from './sign-in-form.tsx';

/** Shown over the current page and dialog, which keep their state. */
export function SessionOver({
  account,
  onLeave,
}: {
  readonly account: string;
  readonly onLeave: () => void;
}) {
  const { update } = usePortal();
  const ref = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const before = document.activeElement;
    ref.current?.showModal();
    ref.current?.querySelector<HTMLElement>('[data-first]')?.focus();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  useEffect(() => {
    const dialog = ref.current;
    const stay = (event: Event) => event.preventDefault();
    const key = (event: KeyboardEvent) => {
      if (event.key === 'Escape') event.preventDefault();
    };
    dialog?.addEventListener('cancel', stay);
    dialog?.addEventListener('keydown', key);
    return () => {
      dialog?.removeEventListener('cancel', stay);
      dialog?.removeEventListener('keydown', key);
    };
  }, []);
  return (
    <dialog ref={ref} class="dialog" aria-labelledby="session-over">
      <h2 id="session-over">Your session has ended</h2>
      <div class="dialog-body">
        <p>Sign in again to continue where you were. What you typed is kept, except passwords.</p>
        <SignInForm user={account} fixed onDone={(session) => update(session)} />
        <p>
          <button type="button" class="link" onClick={onLeave}>
            Leave, or sign in as another user
          </button>
        </p>
      </div>
    </dialog>
  );
}
