import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readText } from './write.ts';

/** An account as NSS returns it. */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly shell: string;
}

/** @param key a name or a uid; absent: every account that NSS lists */
export function accounts(key?: string | number): readonly Account[] {
  const argv = ['--', 'passwd', ...(key === undefined ? [] : [String(key)])];
  const run = spawnSync('getent', argv, { encoding: 'utf8', timeout: 20_000, maxBuffer: 64 << 20 });
  return (run.stdout ?? '').split('\n').flatMap((line) => {
    const [name = '', , uid = '', gid = '', , home = '', shell = ''] = line.split(':');
    return /^\d+$/.test(uid) ? [{ name, uid: Number(uid), gid: Number(gid), home, shell }] : [];
  });
}

const noUid = 4_294_967_295;

/** The user who runs the command: SUDO_UID, else the login uid, else root. */
export function caller(environment: Readonly<Record<string, string | undefined>>): Account | undefined {
  const { SUDO_UID: sudo = '' } = environment;
  const uid = /^\d{1,10}$/.test(sudo) ? Number(sudo) : loginUid();
  return accounts(uid)[0];
}

function loginUid(): number {
  try {
    const uid = Number(readFileSync('/proc/self/loginuid', 'latin1'));
    return uid === noUid ? 0 : uid;
  } catch {
    return 0;
  }
}

/** Whether the shell of the account permits logins. */
export function mayLogIn({ shell }: Account): boolean {
  return !/\/(?:nologin|false|sync|shutdown|halt)$/.test(shell);
}

/** @returns undefined if /etc/shadow has no entry; a directory service may have one */
export function hasPassword(name: string): boolean | undefined {
  const line = (readText('/etc/shadow') ?? '').split('\n').find((one) => one.startsWith(`${name}:`));
  const hash = line?.split(':')[1];
  return hash === undefined ? undefined : hash !== '' && !/^[!*]/.test(hash);
}
