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
  /** What the server begins with. */
  readonly first: SecureContextOptions;
  /** Looks now. */
  check(): void;
  close(): void;
}

/**
 * What MUST hold: a new pair is tried out before it is used, and one that is bad (half written, a key that
 * does not fit) leaves the old one in use, with a line in the log; it is tried again when a file changes.
 * @param use gives a new pair to the server
 * @throws Error: the first pair is no good
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
        message: `${messageOf(error)}; the one before stays in use`,
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
    throw new Error(`${certFile} and ${keyFile} are no certificate and its key (${messageOf(error)})`);
  }
  return pair;
}

function validTo({ cert }: Pair): string {
  return new Date(new X509Certificate(cert).validTo).toISOString();
}

/** Follows links, so that one that is pointed at another file is a change. */
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
