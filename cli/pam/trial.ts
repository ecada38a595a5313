import type { Output } from '../lib/output.ts';
import { lengthText } from '../lib/time.ts';
import { currentTrial, type Trial } from './record.ts';

/** For scripts. */
export interface TrialView {
  readonly id: string;
  readonly services: readonly string[];
  readonly state: 'writing' | 'on-trial' | 'putting-back';
  /** Seconds. */
  readonly left?: number;
}

export function trialView({ change, left, reverting }: Trial): TrialView {
  return {
    id: change.id,
    services: change.services,
    state: reverting ? 'putting-back' : left === undefined ? 'writing' : 'on-trial',
    ...(left === undefined ? {} : { left: Math.floor(left) }),
  };
}

export function warnTrial(output: Output, trial: Trial): void {
  output.warn(trialText(trialView(trial)));
}

export function trialText({ services, state, left = 0 }: TrialView): string {
  const names = services.join(', ');
  switch (state) {
    case 'on-trial':
      return `trial of ${names}: rolled back in ${lengthText(left)}; to keep it, log in again through it and run: sallyport pam confirm`;
    case 'writing':
      return `${names} is being changed`;
    case 'putting-back':
      return `${names} is being rolled back; if that does not finish, run: sallyport pam revert`;
  }
}

/** Warns if the caller may read the trial. */
export function warnRunningTrial(output: Output): void {
  const trial = currentTrial();
  if (trial !== undefined) warnTrial(output, trial);
}
