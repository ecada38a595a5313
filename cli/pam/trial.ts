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
      `${names} on trial: put back in ${lengthText(left)}, unless a new login through it says: sallyport pam confirm`,
    );
  else if (state === 'writing') output.warn(`${names} is being changed at this moment`);
  else output.warn(`${names} is being put back; if that does not end: sallyport pam revert`);
}

/** For whoever may see it. */
export function warnRunningTrial(output: Output): void {
  const trial = currentTrial();
  if (trial !== undefined) warnTrial(output, trial);
}
