import { basename } from 'node:path';
import type { PortableFactor } from '../../daemon/api/account-views.ts';
import { movedLimits } from '../../daemon/api/bounds.ts';
import { readSeed } from '../../daemon/client/factor-input.ts';
import { found, ImportError, type Parsed, type Parser, problem, type Source } from './contract.ts';

/** The module's own size limit. */
const mostBytes = 65_536;
/** Larger values are seconds, as one fork writes them, not step numbers. */
const firstSecond = 1_000_000_000;
/** The module's own limits. */
const latestStep = 60;

/**
 * `.google_authenticator` (FILEFORMAT of google-authenticator-libpam, and its fork with ALGORITHM and DIGITS): one
 * file, one account. The account is given by option, by the file name, or by the owner.
 */
export function googleAuthenticator({
  user: named,
  byName,
}: {
  readonly user?: string;
  /** Whether file names are account names. */
  readonly byName?: boolean;
}): Parser {
  return async function* parse(source) {
    const user = byName === true ? basename(source.file) : named;
    // Root's files in a separate directory belong to different users: root must not get all of them.
    if (user === undefined && source.uid === 0 && !source.inHome) {
      const why =
        'it is outside a home directory and belongs to root; name its account with --user or --by-name';
      yield problem({ file: source.file }, why);
      return;
    }
    const bytes = await source.whole(mostBytes);
    try {
      yield read(source, user, bytes.toString('latin1'));
    } finally {
      bytes.fill(0);
    }
  };
}

function read(source: Source, user: string | undefined, text: string): Parsed {
  const no = (line: number | undefined, why: string) =>
    problem({ file: source.file, ...(line === undefined ? {} : { line }) }, why, user);
  try {
    if (text === '') throw new ImportError('the file is empty');
    if (text.includes('\0')) throw new ImportError('the file is not text');
    const [first = '', ...lines] = text.split('\n');
    const options = optionsIn(lines);
    const codes = scratchIn(lines);
    const factors: PortableFactor[] = [tokenOf(seedOf(first), options)];
    if (codes.length > 0) factors.push({ kind: 'scratch', enabled: true, codes });
    // Without an option the file belongs to the account of its owner.
    return {
      ...found(source, undefined, user, factors),
      ...(user === undefined ? { owner: source.uid } : {}),
    };
  } catch (error) {
    if (error instanceof ImportError) return no(undefined, error.message);
    return no(1, 'the first line is not a Base32 secret');
  }
}

/** Decodes as the module does: 0, 1 and 8 are read as similar letters. */
function seedOf(line: string): string {
  const written = line
    .replaceAll(/[\s-]/g, '')
    .replaceAll('0', 'O')
    .replaceAll('1', 'L')
    .replaceAll('8', 'B');
  if (!/^[A-Za-z2-7]+$/.test(written)) throw new Error('not Base32');
  // The module ignores the bits after the last whole byte.
  const whole = written.slice(0, Math.floor((Math.floor((written.length * 5) / 8) * 8 + 4) / 5));
  const seed = readSeed(whole);
  const text = seed.toString('base64');
  seed.fill(0);
  return text;
}

/** The module stops at the first line that is neither an option nor a code. */
function scratchIn(lines: readonly string[]): readonly string[] {
  const codes: string[] = [];
  for (const line of lines) {
    const text = withoutTail(line);
    if (text.startsWith('"') || text === '') continue;
    if (!/^[1-9]\d{7}$/.test(text)) break;
    codes.push(text);
  }
  if (codes.length > movedLimits.codes)
    throw new ImportError('it has more scratch codes than google-authenticator creates');
  return codes;
}

/** Threat: a regular expression takes seconds for a crafted line of blanks, and users write these files. */
function withoutTail(line: string): string {
  let end = line.length;
  while (end > 0 && ' \t\r'.includes(line.charAt(end - 1))) end -= 1;
  return line.slice(0, end);
}

/** The first line of each name applies; its value is the rest of the line. */
function optionsIn(lines: readonly string[]): ReadonlyMap<string, string> {
  const options = new Map<string, string>();
  for (const line of lines) {
    const match = /^" ([A-Z0-9_]+)(?:[ \t\r]+(.*))?$/.exec(line);
    const key = match?.[1];
    if (key !== undefined && !options.has(key)) options.set(key, (match?.[2] ?? '').trim());
  }
  return options;
}

function tokenOf(secret: string, options: ReadonlyMap<string, string>): PortableFactor {
  const digits = oneOf(options, 'DIGITS', ['6', '7', '8'], '6');
  const algorithm = oneOf(options, 'ALGORITHM', ['sha1', 'sha256', 'sha512'], 'sha1');
  const common = {
    name: 'Google Authenticator',
    enabled: true,
    secret,
    digits: Number(digits) as 6 | 7 | 8,
    algorithm: algorithm as 'sha1' | 'sha256' | 'sha512',
  };
  const counter = whole(options, 'HOTP_COUNTER', 0, 2 ** 48, 0);
  if (counter > 0) return { ...common, kind: 'hotp', counter };
  if (!options.has('TOTP_AUTH'))
    throw new ImportError('it has neither TOTP_AUTH nor HOTP_COUNTER, so it was never usable');
  const period = whole(options, 'STEP_SIZE', 1, latestStep, 30);
  if (period < 15)
    throw new ImportError(`its code period is ${period} s, less than the minimum of 15 s; add a new factor`);
  const drift = whole(options, 'TIME_SKEW', -1_000_000_000, 1_000_000_000, 0);
  return { ...common, kind: 'totp', period, drift, mark: markOf(options.get('DISALLOW_REUSE'), period) };
}

/** The last used step. Without the list the module allowed replays, and used codes are unknown. */
function markOf(list: string | undefined, period: number): number | 'now' {
  if (list === undefined) return 'now';
  const used = list.split(/[ \t]+/).filter((word) => word !== '');
  if (used.some((word) => !/^\d{1,15}$/.test(word)))
    throw new ImportError('the list of used codes (DISALLOW_REUSE) is malformed');
  const steps = used
    .map(Number)
    .map((number) => (number > firstSecond ? Math.floor(number / period) : number));
  return Math.max(-1, ...steps);
}

function whole(
  options: ReadonlyMap<string, string>,
  key: string,
  least: number,
  most: number,
  absent: number,
): number {
  const text = options.get(key);
  if (text === undefined) return absent;
  const number = /^-?\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new ImportError(`${key} must be a number from ${least} to ${most}`);
}

function oneOf(
  options: ReadonlyMap<string, string>,
  key: string,
  allowed: readonly string[],
  absent: string,
): string {
  const text = options.get(key)?.toLowerCase() ?? absent;
  if (allowed.includes(text)) return text;
  throw new ImportError(`${key} must be one of ${allowed.join(', ')}`);
}
