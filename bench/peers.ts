import { closeSync, copyFileSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Contestant } from './candidate.ts';
import { writeService } from './machine.ts';
import { base32, codesOf, crowd, mostClients, type Person, people } from './people.ts';

/** pam_oath looks 20 codes ahead: after 20 that it refused, the next one would no longer be right. */
const oathWindow = 20;
/** The counter of pam_google_authenticator counts from 1; 0 means TOTP. */
const googleFirst = 1;

/** Goes on where the last run ended; `reset` makes the files again at first, and after a code was refused. */
function inSequence(first: number, reset: () => void): Pick<Contestant, 'plan' | 'went'> {
  let next: number[] | undefined;
  return {
    plan(clients, logins) {
      if (next === undefined) reset();
      next ??= people.map(() => first);
      const counters = next;
      return people.slice(0, clients).map(({ name, secret }, index) => {
        const from = counters[index] ?? first;
        counters[index] = from + logins;
        return { user: name, codes: codesOf(secret, from, logins) };
      });
    },
    went(_plans, logins) {
      if (logins.some(({ result }) => result !== 0)) next = undefined;
    },
  };
}

/** What libpam itself and the driver take. */
export function emptyStack(directory: string): Contestant {
  writeService(directory, 'empty', []);
  return {
    module: 'empty stack',
    users: undefined,
    service: 'empty',
    mostLogins: Number.POSITIVE_INFINITY,
    warmUp: 50,
    ...inSequence(0, () => undefined),
  };
}

/** A file for each user, so that their number plays no part. */
export function googleAuthenticator(directory: string): Contestant {
  const files = join(directory, 'google');
  mkdirSync(files, { mode: 0o700, recursive: true });
  writeService(directory, 'google', [
    `auth required pam_google_authenticator.so secret=${files}/\${USER} user=root no_strict_owner`,
  ]);
  const reset = ({ name, secret }: Person): void =>
    writeFileSync(
      join(files, name),
      `${base32(secret)}\n" HOTP_COUNTER ${googleFirst}\n" WINDOW_SIZE ${oathWindow}\n`,
      { mode: 0o600 },
    );
  return {
    module: 'pam_google_authenticator',
    users: undefined,
    service: 'google',
    mostLogins: Number.POSITIVE_INFINITY,
    warmUp: 10,
    ...inSequence(googleFirst, () => people.forEach(reset)),
  };
}

/** One file for all users, read to the user's line and written anew at each login. */
export function oath(directory: string, users: number): Contestant {
  const service = `oath-${users}`;
  const file = join(directory, service);
  const fresh = `${file}.fresh`;
  writeOathFile(fresh, users);
  writeService(directory, service, [
    `auth required pam_oath.so usersfile=${file} window=${oathWindow} digits=6`,
  ]);
  return {
    module: 'pam_oath',
    users,
    service,
    mostLogins: oathWindow,
    warmUp: 3,
    ...inSequence(0, () => copyFileSync(fresh, file)),
  };
}

/** Those who log in stand at equal distances, so that half the file is read on the average. */
function writeOathFile(path: string, users: number): void {
  const others = [...crowd(users)];
  const real = people.slice(0, Math.min(users, mostClients));
  const share = Math.ceil(others.length / real.length);
  const filler = Buffer.alloc(20, 7);
  const line = (name: string, secret: Buffer): string => `HOTP ${name} - ${secret.toString('hex')} 0\n`;
  const file = openSync(path, 'w', 0o600);
  for (const [index, { name, secret }] of real.entries()) {
    const half = Math.floor(share * (index + 0.5));
    writeSync(
      file,
      others
        .slice(index * share, half)
        .map((other) => line(other, filler))
        .join(''),
    );
    writeSync(file, line(name, secret));
    writeSync(
      file,
      others
        .slice(half, (index + 1) * share)
        .map((other) => line(other, filler))
        .join(''),
    );
  }
  closeSync(file);
}
