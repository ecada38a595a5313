import { pluralise } from './count-of.ts';

/** "a right code of 3 minutes ago": of a device whose clock is ahead by so many seconds (behind, below 0). */
export function offsetText(seconds: number): string {
  const minutes = Math.max(1, Math.round(Math.abs(seconds) / 60));
  return `a right code of ${pluralise(minutes, 'minute')} ${seconds < 0 ? 'ago' : 'ahead'}`;
}
