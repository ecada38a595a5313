import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { limits } from '../limits.ts';

export type Encoding = 'identity' | 'gzip' | 'br';

export interface Asset {
  readonly type: string;
  /** Its name changes with its content. */
  readonly immutable: boolean;
  readonly tag: string;
  readonly bodies: { readonly identity: Buffer } & { readonly [Name in Encoding]?: Buffer };
}

export type Assets = ReadonlyMap<string, Asset>;

/**
 * The pages, by request path.
 *
 * Invariants: files are read once, and a request only looks its path up in this table. A request path never becomes a
 * file name.
 * @returns undefined if the directory or its index.html does not exist
 * @throws Error if the directory holds too much
 */
export function loadAssets(directory: string): Assets | undefined {
  if (!existsSync(join(directory, 'index.html'))) return undefined;
  const paths = filesBelow(directory, '');
  const bytes = paths.reduce((sum, path) => sum + statSync(join(directory, path)).size, 0);
  if (paths.length > limits.assetFiles || bytes > limits.assetBytes)
    throw new Error(
      `${directory} holds more than the pages of the portal: ${paths.length} files, ${bytes} bytes`,
    );
  const plain = paths.filter((path) => !/\.(br|gz|map)$/.test(path));
  return new Map(plain.map((path) => [`/${path}`, assetOf(directory, path)]));
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.txt': 'text/plain; charset=utf-8',
  '.json': 'application/json',
  '.webmanifest': 'application/manifest+json',
};

/** As esbuild names them: eight letters and digits in upper case before the ending. */
const hashed = /[-.][A-Z0-9]{8}\.[a-z0-9]+$/;

function assetOf(directory: string, path: string): Asset {
  const identity = readFileSync(join(directory, path));
  const type = types[extname(path)] ?? 'application/octet-stream';
  const isText = /^text|json|svg/.test(type);
  const packed = (ending: string, pack: (data: Buffer) => Buffer): Buffer | undefined => {
    const beside = join(directory, `${path}${ending}`);
    if (existsSync(beside)) return readFileSync(beside);
    return isText ? pack(identity) : undefined;
  };
  const [br, gzip] = [packed('.br', brotliCompressSync), packed('.gz', gzipSync)];
  return {
    type,
    immutable: hashed.test(path),
    tag: `"${createHash('sha256').update(identity).digest('base64url').slice(0, 22)}"`,
    bodies: { identity, ...(br !== undefined && { br }), ...(gzip !== undefined && { gzip }) },
  };
}

function filesBelow(directory: string, within: string): string[] {
  return readdirSync(join(directory, within), { withFileTypes: true }).flatMap((entry) => {
    const path = within === '' ? entry.name : `${within}/${entry.name}`;
    if (entry.isDirectory()) return filesBelow(directory, path);
    return entry.isFile() ? [path] : [];
  });
}

/** The smallest encoding that the browser accepts. */
export function bodyFor(
  asset: Asset,
  accepted: string | undefined,
): { readonly encoding: Encoding; readonly body: Buffer } {
  const taken = new Map(
    (accepted ?? '').split(',').map((entry) => {
      const [name = '', ...parameters] = entry.split(';').map((part) => part.trim().toLowerCase());
      return [name, !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter))] as const;
    }),
  );
  for (const encoding of ['br', 'gzip'] as const) {
    const body = asset.bodies[encoding];
    if (body !== undefined && taken.get(encoding) === true) return { encoding, body };
  }
  return { encoding: 'identity', body: asset.bodies.identity };
}
