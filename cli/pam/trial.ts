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
  const { services, state, left = 0 } = trialView(trial);
  const names = services.join(', ');
  if (state === 'on-trial')
    output.warn(
      `trial of ${names}: rolled back in ${lengthText(left)}; to keep it, log in again through it and run: sallyport pam confirm`,
    );
  else if (state === 'writing') output.warn(`${names} is being changed`);
  else output.warn(`${names} is being rolled back; if that does not finish, run: sallyport pam revert`);
}

/** Warns if the caller may read the trial. */
export function warnRunningTrial(output: Output): void {
  const trial = currentTrial();
  if (trial !== undefined) warnTrial(output, trial);
}
