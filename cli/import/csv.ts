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

/** Which column stands where; undefined: the file is another system's. */
type Heading = readonly Column[] | undefined;

/**
 * CSV: our own, under a heading with the names of its columns; OATH CSV of privacyIDEA and LinOTP; what Yubico's
 * tools log when they program keys; and the URIs of tokens, one a line, as `export --format otpauth` writes them.
 * @param user whose factors they are where a line names nobody; where it does, only theirs come over
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
        throw new ImportError(`its fields are parted by ${parted}; save it with commas between them`);
      const fields = fieldsOf(line);
      if (fields === undefined) {
        yield problem(place, 'a quote is not closed, or something follows it before the next comma');
        continue;
      }
      if (heading === 'unread') {
        const names = fields.map((field) => field.toLowerCase());
        if (names.includes('kind')) {
          const strange = names.find((name) => !columns.some((column) => column === name));
          if (strange !== undefined || new Set(names).size < names.length) {
            yield problem(
              place,
              'its heading names a column that is not known, or one twice (docs/how-to/import-export.md)',
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

/** What parts the fields of the first line, if it is not a comma: spreadsheets write what their language has. */
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
  if (user === undefined) return problem(place, 'it names nobody; fill the column user, or say --user');
  if (fields.length > heading.length) return problem(place, 'it has more fields than the heading', user);
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
    if (user === undefined) return problem(place, 'its label names no account; say --user');
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
  if (user === undefined) return problem(place, 'it names nobody; say --user');
  return token.kind === 'token'
    ? found(source, place.line, user, [token.factor])
    : problem(place, token.why, user);
}
