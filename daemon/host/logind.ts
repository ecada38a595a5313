import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { limits } from '../limits.ts';

/** logind's own files, one a session: what sd_session_is_active(3) and sd_session_is_remote(3) read. */
const defaultSessionsDir = '/run/systemd/sessions';

/** logind's files are under 1 KiB. */
const longestFile = 65_536;

/**
 * Whether logind calls the session active and not remote, and a person sits at it: cron's sessions are
 * active and not remote too, and have no seat.
 *
 * Invariants: the session's name comes from the other side, so it names a file of this directory and no other;
 * everything unknown, missing or odd is false, which is the stricter branch.
 */
export async function readSessionIsLocal(
  session: string,
  sessionsDir = defaultSessionsDir,
): Promise<boolean> {
  // logind gives out letters and digits only: no slash, no dot.
  if (!/^[A-Za-z0-9]+$/.test(session) || session.length > limits.sessionLength) return false;
  try {
    const text = await readSmallFile(join(sessionsDir, session));
    const isPerson = field(text, 'CLASS') === 'user' && /^\S+$/.test(field(text, 'SEAT') ?? '');
    return isPerson && field(text, 'ACTIVE') === '1' && field(text, 'REMOTE') === '0';
  } catch {
    return false;
  }
}

async function readSmallFile(path: string): Promise<string> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(longestFile + 1), 0);
    return bytesRead > longestFile ? '' : buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}

/** The value of a line KEY=VALUE that occurs exactly once. */
function field(text: string, key: string): string | undefined {
  const lines = text.split('\n').filter((line) => line.startsWith(`${key}=`));
  return lines.length === 1 ? lines[0]?.slice(key.length + 1) : undefined;
}
