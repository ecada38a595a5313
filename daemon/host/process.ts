import { readFileSync } from 'node:fs';

/** The process that sallyportd is: where it runs, and what it may use. */

/** Soft limit of open files; Node raises it to the hard one when it starts. */
export function descriptorLimit(): number {
  const line = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
  return line === null ? 1_024 : Number(line[1]);
}

export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}
