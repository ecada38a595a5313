import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import type { Log } from '../../daemon/lib/log.ts';
import { limits } from '../limits.ts';
import { messageOf } from './errors.ts';

export interface PairFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** A certificate and its key, read again when their files change. */
export interface Certificate {
  /** The pair that the server starts with. */
  readonly first: SecureContextOptions;
  /** Checks the files now. */
  check(): void;
  close(): void;
}

/**
 * Invariants: a new pair is validated before it is used; a bad one (half written, a key that does not match) leaves the
 * old pair in use and is logged; validation is repeated when a file changes.
 * @param use installs a new pair in the server
 * @throws Error if the first pair is invalid
 */
export function createCertificate(
  files: PairFiles,
  log: Log,
  use: (pair: SecureContextOptions) => void,
  every: number = limits.certificateCheck,
): Certificate {
  let tried = stamp(files);
  const first = readPair(files);
  log.info('certificate-loaded', { file: files.certFile, validTo: validTo(first) });
  const check = (): void => {
    const now = stamp(files);
    if (now === tried) return;
    tried = now;
    try {
      const pair = readPair(files);
      use(pair);
      log.info('certificate-loaded', { file: files.certFile, validTo: validTo(pair) });
    } catch (error) {
      log.error('certificate-bad', {
        file: files.certFile,
        message: `${messageOf(error)}; the previous certificate stays in use`,
      });
    }
  };
  const timer = setInterval(check, every);
  timer.unref();
  return { first, check, close: () => clearInterval(timer) };
}

interface Pair extends SecureContextOptions {
  readonly cert: Buffer;
  readonly key: Buffer;
}

function readPair({ certFile, keyFile }: PairFiles): Pair {
  const pair = { cert: readFileSync(certFile), key: readFileSync(keyFile), minVersion: 'TLSv1.2' } as const;
  try {
    createSecureContext(pair);
  } catch (error) {
    throw new Error(`${certFile} and ${keyFile} are not a certificate and its key (${messageOf(error)})`);
  }
  return pair;
}

function validTo({ cert }: Pair): string {
  return new Date(new X509Certificate(cert).validTo).toISOString();
}

/** Follows symbolic links, so that a link to another file is a change. */
function stamp({ certFile, keyFile }: PairFiles): string {
  return [certFile, keyFile]
    .map((file) => {
      try {
        const { dev, ino, size, mtimeMs, ctimeMs } = statSync(file);
        return [dev, ino, size, mtimeMs, ctimeMs].join();
      } catch {
        return 'absent';
      }
    })
    .join(' ');
}
