import { readFileSync } from 'node:fs';
import { must } from './commands.ts';
import { repository } from './layout.ts';
import { work } from './machine.ts';

/** Security keys in software, for a real ssh and a real sshd (test/native/sk_provider.c). */

const provider = `${work}/sk_provider.so`;

/** What ssh has to be told to use one. */
export const withSecurityKeys = `SecurityKeyProvider=${provider}`;

export function compileSecurityKeys(): void {
  must('cc', [
    ...['-O1', '-Wall', '-Wextra', '-Werror', '-shared', '-fPIC'],
    ...[`${repository}/test/native/sk_provider.c`, '-o', provider, '-lcrypto'],
  ]);
}

export interface SecurityKey {
  /** What `ssh -i` takes. */
  readonly file: string;
  /** What `--key` takes. */
  readonly pub: string;
  /** The line of authorized_keys. */
  readonly line: string;
}

export function makeSecurityKey(name: string, type: 'ed25519-sk' | 'ecdsa-sk' = 'ed25519-sk'): SecurityKey {
  const file = `${work}/${name}`;
  must('ssh-keygen', ['-q', '-t', type, '-w', provider, '-N', '', '-C', name, '-f', file]);
  return { file, pub: `${file}.pub`, line: readFileSync(`${file}.pub`, 'utf8').trim() };
}

/** An authority for certificates of users. */
export function makeAuthority(): { readonly file: string; readonly pub: string } {
  const file = `${work}/authority`;
  must('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file]);
  return { file, pub: `${file}.pub` };
}

/**
 * Certifies a key, and leaves the certificate beside it, where ssh finds it.
 * @param principals who may log in with it
 * @param options of ssh-keygen, as `-O` takes them
 */
export function certify(
  authority: string,
  key: SecurityKey,
  principals: readonly string[],
  options: readonly string[] = [],
): void {
  const given = options.flatMap((option) => ['-O', option]);
  must('ssh-keygen', ['-q', '-s', authority, '-I', 'test', '-n', principals.join(','), ...given, key.pub]);
}
