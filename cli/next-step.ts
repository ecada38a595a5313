import { firstKind, reserveKind } from './factors.ts';

/** What the overview knows about the machine. Undefined if the caller may not read it. */
export interface State {
  /** The account that the advice is for: SUDO_USER, else the caller. */
  readonly you: string;
  readonly root: boolean;
  readonly initialised: boolean | undefined;
  readonly answers: boolean;
  readonly factors: readonly { readonly kind: string; readonly enabled: boolean }[] | undefined;
  readonly locked: boolean | undefined;
  /** Protected services. */
  readonly guarded: readonly string[] | undefined;
  /** The services of a trial change that awaits confirmation. */
  readonly openTry: string | undefined;
  readonly observing: readonly string[];
  /** Number of doctor findings that mean a lockout or a bypass. */
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
 * The first of these steps that is still to be done. Pure.
 * A trial comes right after the caller's own factor: a new login must confirm it in time, and needs that factor.
 */
export function nextStep(state: State): NextStep {
  const { you, root } = state;
  if (root && state.initialised === false)
    return { id: 'init', why: 'nothing is set up yet', command: 'sallyport init' };
  if (!state.answers)
    return root
      ? { id: 'start', why: 'sallyportd does not answer', command: 'systemctl start sallyportd' }
      : { id: 'start', why: 'sallyportd does not answer; contact your administrator' };
  if (!root && state.locked === true)
    return { id: 'ask-unlock', why: 'your second factor is locked; ask your administrator to unlock it' };
  if (state.factors?.every(({ enabled }) => !enabled) === true)
    return {
      id: 'add-factor',
      why: `${you} has no second factor`,
      command: `sallyport factor add ${firstKind} ${you}`,
    };
  if (state.openTry !== undefined)
    return {
      id: 'confirm',
      why: `the trial of ${state.openTry} is rolled back unless a new login confirms it`,
      command: 'sallyport pam confirm',
    };
  if (state.factors?.some(({ kind }) => kind === reserveKind) === false)
    return {
      id: 'add-recovery',
      why: `${you} has no recovery keys in case the phone is lost`,
      command: `sallyport factor add ${reserveKind} ${you}`,
    };
  if (root && state.guarded?.length === 0)
    return {
      id: 'guard',
      why: 'no service requires a second factor yet',
      command: 'sallyport pam enable sshd --with password --try 10m',
    };
  const [observed] = state.observing;
  if (observed !== undefined)
    return {
      id: 'report',
      why: `the realm "${observed}" is in observe mode: it asks for no factor`,
      command: 'sallyport report',
    };
  if (state.errors > 0)
    return {
      id: 'doctor',
      why: 'there is a lockout or a way around the second factor',
      command: 'sallyport doctor',
    };
  return { id: 'none', why: 'nothing is left to do' };
}
