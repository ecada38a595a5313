import {
  found,
  ImportError,
  type Parsed,
  type Parser,
  problem,
  type Source,
  type SourceLocation,
} from './contract.ts';
import { type Column, columns, factorIn } from './csv-columns.ts';
import { fieldsOf } from './csv-line.ts';
import { tokenIn } from './csv-tokens.ts';
import { isTokenUri, readOtpauth } from './otpauth.ts';

/** The order of columns; undefined for files of other systems. */
type Heading = readonly Column[] | undefined;

/**
 * CSV formats: ours, with a heading of column names; OATH CSV of privacyIDEA and LinOTP; logs of Yubico's programming
 * tools; and otpauth URIs, one per line, as `export --format otpauth` writes them.
 * @param user account of lines that name none; of lines that name one, only this account is imported
 */
export function csv(user: string | undefined): Parser {
  return async function* parse(source) {
    let heading: Heading | 'unread' = 'unread';
    for await (const { text, number } of source.lines()) {
      const place = { file: source.file, line: number };
      if (text === undefined) {
        yield problem(place, 'the line is too long');
        continue;
      }
      const line = number === 1 ? text.replace(/^\ufeff/, '') : text;
      if (line.trim() === '' || line.startsWith('#')) continue;
      if (isTokenUri(line)) {
        const parsed = uriOf(source, place, line, user);
        if (parsed !== undefined) yield parsed;
        continue;
      }
      const parted = heading === 'unread' ? otherSeparator(line) : undefined;
      if (parted !== undefined)
        throw new ImportError(`fields are separated by ${parted}; save the file with commas`);
      const fields = fieldsOf(line);
      if (fields === undefined) {
        yield problem(place, 'a quote is not closed, or text follows it before the next comma');
        continue;
      }
      if (heading === 'unread') {
        const names = fields.map((field) => field.toLowerCase());
        if (names.includes('kind')) {
          const strange = names.find((name) => !columns.some((column) => column === name));
          if (strange !== undefined || new Set(names).size < names.length) {
            yield problem(
              place,
              'the heading has an unknown or duplicate column (docs/how-to/import-export.md)',
            );
            return;
          }
          heading = names as readonly Column[];
          continue;
        }
        heading = undefined;
      }
      const parsed =
        heading === undefined
          ? foreign(source, place, fields, user)
          : own(source, place, heading, fields, user);
      if (parsed !== undefined) yield parsed;
    }
  };
}

/** The separator of the first line if it is not a comma: spreadsheets use that of their locale. */
function otherSeparator(line: string): string | undefined {
  if (line.includes(',')) return undefined;
  if (line.includes(';')) return 'semicolons';
  return line.includes('\t') ? 'tabs' : undefined;
}

function own(
  source: Source,
  place: Required<SourceLocation>,
  heading: readonly Column[],
  fields: readonly string[],
  only: string | undefined,
): Parsed | undefined {
  const row = Object.fromEntries(heading.map((column, index) => [column, fields[index] ?? '']));
  const user = row.user || only;
  if (only !== undefined && user !== only) return undefined;
  if (user === undefined) return problem(place, 'no account; fill in the column user, or use --user');
  if (fields.length > heading.length)
    return problem(place, 'the line has more fields than the heading', user);
  try {
    return found(source, place.line, user, [factorIn(row)]);
  } catch (error) {
    return problem(place, error instanceof Error ? error.message : '', user);
  }
}

function uriOf(
  source: Source,
  place: Required<SourceLocation>,
  line: string,
  only: string | undefined,
): Parsed | undefined {
  try {
    const { account, token } = readOtpauth(line);
    const user = account || only;
    if (only !== undefined && user !== only) return undefined;
    if (user === undefined) return problem(place, 'the label has no account; use --user');
    return found(source, place.line, user, [token]);
  } catch (error) {
    return problem(place, error instanceof Error ? error.message : '');
  }
}

function foreign(
  source: Source,
  place: Required<SourceLocation>,
  fields: readonly string[],
  only: string | undefined,
): Parsed | undefined {
  const token = tokenIn(fields);
  const user = token.user || only;
  if (only !== undefined && user !== only) return undefined;
  if (user === undefined) return problem(place, 'the line has no account; use --user');
  return token.kind === 'token'
    ? found(source, place.line, user, [token.factor])
    : problem(place, token.why, user);
}
