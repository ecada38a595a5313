import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './commands.ts';

export type Suite = 'bookworm' | 'trixie';

/** What a machine has that guards its logins; Node only where Debian's own is new enough. */
const packages: Record<Suite, readonly string[]> = {
  bookworm: ['systemd-sysv', 'dbus', 'libnss-systemd', 'openssh-server'],
  trixie: ['systemd-sysv', 'dbus', 'libnss-systemd', 'openssh-server', 'nodejs'],
};

/**
 * A Debian system in a directory below `directory`, made anew from Debian's mirror; half a minute. It is only ever read:
 * machines lay a layer of their own over it.
 * @param more packages beside the usual ones
 */
export async function makeDebianRoot(
  directory: string,
  suite: Suite,
  more: readonly string[] = [],
): Promise<string> {
  // To write tests with: roots that were made before, and are kept.
  const kept = process.env.SALLYPORT_TEST_ROOTS;
  const root = join(kept ?? directory, more.length === 0 ? suite : `${suite}-${more.length}`);
  if (kept !== undefined && existsSync(join(root, 'etc/debian_version'))) return root;
  mkdirSync(root, { recursive: true });
  const options = [
    '--variant=minbase',
    '--mode=root',
    `--include=${[...packages[suite], ...more].join(',')}`,
  ];
  const made = await run('mmdebstrap', [...options, suite, root], { timeout: 600_000 });
  if (made.status !== 0) throw new Error(`mmdebstrap ${suite}: status ${made.status}\n${made.stderr}`);
  return root;
}
