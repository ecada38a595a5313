import type { PortableFactor } from '../../daemon/api/account-views.ts';
import { readPublicId, readSeed, readYubikeyHex, seedText } from '../../daemon/client/factor-input.ts';
import { ImportError } from './contract.ts';

/** The columns of our CSV (docs/how-to/import-export.md), in writing order. */
export const columns = [
  'user',
  'kind',
  'name',
  'enabled',
  'created',
  'secret',
  'digits',
  'period',
  'algorithm',
  'counter',
  'last_step',
  'drift',
  'public_id',
  'private_id',
  'last_press',
] as const;

export type Column = (typeof columns)[number];
export type Row = Readonly<Partial<Record<Column, string>>>;

/** @throws ImportError, ControlError without content of the row */
export function factorIn(row: Row): PortableFactor {
  const created = row.created ? Date.parse(row.created) : Number.NaN;
  if (row.created && Number.isNaN(created))
    throw new ImportError('column created is not a date (2026-01-31T23:59:59Z)');
  const base = {
    enabled: chosen(row, 'enabled', ['true', 'false'] as const, 'true') === 'true',
    ...(row.name ? { name: row.name } : {}),
    ...(row.created && created >= 0 ? { created } : {}),
  };
  const { kind } = row;
  if (kind === 'yubikey') {
    const publicId = readPublicId(row.public_id ?? '');
    if (!row.secret) return { ...base, kind, validation: 'cloud', publicId };
    return {
      ...base,
      kind,
      validation: 'local',
      publicId,
      privateId: readYubikeyHex(row.private_id ?? '', 'privateId').toString('base64'),
      secret: readYubikeyHex(row.secret, 'aesKey').toString('base64'),
      lastPress: whole(row, 'last_press', -1, 0x7f_ffff, -1),
    };
  }
  if (kind !== 'totp' && kind !== 'hotp') throw new ImportError('column kind must be totp, hotp or yubikey');
  const token = {
    ...base,
    secret: readSeed(row.secret ?? '').toString('base64'),
    digits: Number(chosen(row, 'digits', ['6', '7', '8'] as const, '6')) as 6 | 7 | 8,
    algorithm: chosen(row, 'algorithm', ['sha1', 'sha256', 'sha512'] as const, 'sha1'),
  };
  if (kind === 'hotp') return { ...token, kind, counter: whole(row, 'counter', 0, 2 ** 48, 0) };
  return {
    ...token,
    kind,
    period: whole(row, 'period', 15, 300, 30),
    mark: row.last_step ? whole(row, 'last_step', -1, 2 ** 48, -1) : 'now',
    drift: whole(row, 'drift', -10, 10, 0),
  };
}

/** The row that `factorIn` reads; undefined if CSV does not support the kind. */
export function rowOf(user: string, factor: PortableFactor): Row | undefined {
  const base = {
    user,
    kind: factor.kind,
    name: factor.name ?? '',
    enabled: String(factor.enabled),
    created: factor.created === undefined ? '' : new Date(factor.created).toISOString(),
  };
  if (factor.kind === 'yubikey') {
    const { publicId: public_id } = factor;
    if (factor.validation === 'cloud') return { ...base, public_id };
    const hex = (text: string) => Buffer.from(text, 'base64').toString('hex');
    const keys = { secret: hex(factor.secret), private_id: hex(factor.privateId) };
    return { ...base, public_id, ...keys, last_press: String(factor.lastPress) };
  }
  if (factor.kind !== 'totp' && factor.kind !== 'hotp') return undefined;
  const token = {
    ...base,
    secret: seedText(Buffer.from(factor.secret, 'base64')),
    digits: String(factor.digits),
    algorithm: factor.algorithm,
  };
  if (factor.kind === 'hotp') return { ...token, counter: String(factor.counter) };
  const { period, mark, drift } = factor;
  return {
    ...token,
    period: String(period),
    last_step: mark === 'now' ? '' : String(mark),
    drift: String(drift),
  };
}

function whole(row: Row, column: Column, least: number, most: number, absent: number): number {
  const text = row[column] ?? '';
  if (text === '') return absent;
  const number = /^-?\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new ImportError(`column ${column} must be a number from ${least} to ${most}`);
}

function chosen<T extends string>(row: Row, column: Column, allowed: readonly T[], absent: T): T {
  const text = (row[column] ?? '').toLowerCase();
  const one = text === '' ? absent : allowed.find((word) => word === text);
  if (one !== undefined) return one;
  throw new ImportError(`column ${column} must be one of ${allowed.join(', ')}`);
}
