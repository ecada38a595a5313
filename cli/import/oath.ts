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
/** What liboath holds. */
const longestKey = 32;

/** @param window what pam_oath was told: steps either side that it took codes from */
export function oath({ user, window }: { readonly user?: string; readonly window: number }): Parser {
  return async function* parse(source) {
    for await (const { text, number } of source.lines()) {
      if (text === undefined) {
        yield problem({ file: source.file, line: number }, 'the line is longer than any that pam_oath reads');
        continue;
      }
      const fields = text.split(/[ \t\r]+/).filter((field) => field !== '');
      const type = types.exec(fields[0] ?? '');
      // Whatever else stands there pam_oath passes over: comments, and tokens that it does not know.
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
      throw new ImportError('its key is no hex digits, two for each of 1 to 32 bytes');
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
  why: 'Sallyport has no PINs beside codes: from now on the code alone is asked, behind the password of the account',
};

/** Without a last code it is the first one that counts; with one, it is that of this last code. */
function counterOf(factor: string | undefined, last: string | undefined): number {
  if (factor === undefined) return 0;
  if (!/^\d{1,15}$/.test(factor)) throw new ImportError('its moving factor is no number');
  return last === undefined ? Number(factor) : Number(factor) + 1;
}

/** Any code up to `window` steps after the last login may be spent. */
function markOf(
  last: string | undefined,
  timestamp: string | undefined,
  period: number,
  window: number,
): number {
  if (last === undefined) return -1;
  const match = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)L$/.exec(timestamp ?? '');
  if (match === null) throw new ImportError('its time of last use is none (2026-01-31T23:59:59L)');
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number);
  const at = new Date(year, month - 1, day, hour, minute, second);
  const later = new Date(at.getTime() + 3_600_000);
  // The hour that comes twice when summer time ends: the later one, so that nothing spent passes for unspent.
  const moment = later.getHours() === at.getHours() && later.getMinutes() === at.getMinutes() ? later : at;
  return Math.floor(moment.getTime() / 1_000 / period) + window;
}
