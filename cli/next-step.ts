/** What `sallyport` alone knows of the machine. Undefined: it cannot be seen from here. */
export interface State {
  /** Whom the advice is for: whoever called sudo, else the caller. */
  readonly you: string;
  readonly root: boolean;
  readonly initialised: boolean | undefined;
  readonly answers: boolean;
  readonly factors: readonly { readonly kind: string; readonly enabled: boolean }[] | undefined;
  readonly locked: boolean | undefined;
  /** The services that ask for a second factor. */
  readonly guarded: readonly string[] | undefined;
  /** A change to a PAM stack that puts itself back: its service. */
  readonly openTry: string | undefined;
  readonly observing: readonly string[];
  /** Findings of doctor that lock somebody out or let somebody in. */
  readonly errors: number;
}

export type StepId =
  | 'init'
  | 'start'
  | 'ask-unlock'
  | 'add-factor'
  | 'confirm'
  | 'add-recovery'
  | 'guard'
  | 'report'
  | 'doctor'
  | 'none';

export interface NextStep {
  readonly id: StepId;
  readonly why: string;
  readonly command?: string;
}

/**
 * The one sensible step, the first of these that is still to be done. Pure.
 * A try comes right behind one's own factor: it must be confirmed by a new login in time, and that login asks for it.
 */
export function nextStep(state: State): NextStep {
  const { you, root } = state;
  if (root && state.initialised === false)
    return { id: 'init', why: 'nothing is set up yet', command: 'sallyport init' };
  if (!state.answers)
    return root
      ? { id: 'start', why: 'sallyportd does not answer', command: 'systemctl start sallyportd' }
      : { id: 'start', why: 'sallyportd does not answer; tell your administrator' };
  if (!root && state.locked === true)
    return { id: 'ask-unlock', why: 'your second factor is locked; ask your administrator to unlock it' };
  if (state.factors?.every(({ enabled }) => !enabled) === true)
    return {
      id: 'add-factor',
      why: `${you} has no second factor`,
      command: `sallyport factor add totp ${you}`,
    };
  if (state.openTry !== undefined)
    return {
      id: 'confirm',
      why: `the try of ${state.openTry} puts itself back unless a new login confirms it`,
      command: 'sallyport pam confirm',
    };
  if (state.factors?.some(({ kind }) => kind === 'recovery') === false)
    return {
      id: 'add-recovery',
      why: `${you} has no recovery keys for the day the phone is lost`,
      command: `sallyport factor add recovery ${you}`,
    };
  if (root && state.guarded?.length === 0)
    return {
      id: 'guard',
      why: 'no login asks for the second factor yet',
      command: 'sallyport pam enable sshd --with password --try 10m',
    };
  const [observed] = state.observing;
  if (observed !== undefined)
    return {
      id: 'report',
      why: `the realm "${observed}" only observes: it asks nobody`,
      command: 'sallyport report',
    };
  if (state.errors > 0)
    return { id: 'doctor', why: 'something locks people out or lets them in', command: 'sallyport doctor' };
  return { id: 'none', why: 'all is well' };
}
