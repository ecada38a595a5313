import type { PortableFactor } from '../../daemon/api/account-views.ts';
import {
  found,
  ImportError,
  type Parsed,
  type Parser,
  problem,
  type Source,
  type Unsupported,
} from './contract.ts';

/** HOTP, HOTP/E, HOTP/E/6, HOTP/T30, HOTP/T60/8: liboath, usersfile.c. */
const types = /^HOTP(?:\/(?:(E)|T(30|60))(?:\/([678]))?)?$/;
/** liboath's limit. */
const longestKey = 32;

/** @param window pam_oath's window= option: steps on either side that it accepted */
export function oath({ user, window }: { readonly user?: string; readonly window: number }): Parser {
  return async function* parse(source) {
    for await (const { text, number } of source.lines()) {
      if (text === undefined) {
        yield problem({ file: source.file, line: number }, 'the line is too long for pam_oath');
        continue;
      }
      const fields = text.split(/[ \t\r]+/).filter((field) => field !== '');
      const type = types.exec(fields[0] ?? '');
      // pam_oath skips other lines: comments, and unknown token types.
      if (type === null || (user !== undefined && fields[1] !== user)) continue;
      yield lineOf(source, number, type, fields, window);
    }
  };
}

function lineOf(
  source: Source,
  line: number,
  [, , period, digits]: RegExpExecArray,
  [, user, password, key = '', factor, last, timestamp]: readonly string[],
  window: number,
): Parsed {
  try {
    if (!/^(?:[0-9a-f]{2})+$/i.test(key) || key.length > 2 * longestKey)
      throw new ImportError('the key must be 1 to 32 bytes in hexadecimal');
    const common = {
      name: 'OATH',
      enabled: true,
      secret: Buffer.from(key, 'hex').toString('base64'),
      digits: Number(digits ?? 6) as 6 | 7 | 8,
      algorithm: 'sha1',
    } as const;
    const token: PortableFactor =
      period === undefined
        ? { ...common, kind: 'hotp', counter: counterOf(factor, last) }
        : {
            ...common,
            kind: 'totp',
            period: Number(period),
            mark: markOf(last, timestamp, Number(period), window),
            drift: 0,
          };
    return found(source, line, user, [token], { cannot: password === '-' || password === '+' ? [] : [pin] });
  } catch (error) {
    if (!(error instanceof ImportError)) throw error;
    return problem({ file: source.file, line }, error.message, user);
  }
}

const pin: Unsupported = {
  what: 'static PIN',
  why: 'Sallyport does not combine PINs with codes: logins ask for the password and the code',
};

/** Without a last code this is the first valid counter; with one, the counter of that code. */
function counterOf(factor: string | undefined, last: string | undefined): number {
  if (factor === undefined) return 0;
  if (!/^\d{1,15}$/.test(factor)) throw new ImportError('the moving factor is not a number');
  return last === undefined ? Number(factor) : Number(factor) + 1;
}

/** Any code up to `window` steps after the last login may be used. */
function markOf(
  last: string | undefined,
  timestamp: string | undefined,
  period: number,
  window: number,
): number {
  if (last === undefined) return -1;
  const match = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)L$/.exec(timestamp ?? '');
  if (match === null) throw new ImportError('the time of last use is not a date (2026-01-31T23:59:59L)');
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number);
  const at = new Date(year, month - 1, day, hour, minute, second);
  const later = new Date(at.getTime() + 3_600_000);
  // In the repeated hour at the end of summer time take the later one, so that no used code counts as unused.
  const moment = later.getHours() === at.getHours() && later.getMinutes() === at.getMinutes() ? later : at;
  return Math.floor(moment.getTime() / 1_000 / period) + window;
}
