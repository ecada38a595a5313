import {
  groupedSeedText,
  type OtpauthToken,
  qrCode,
  shortOtpauthUris,
} from '../../daemon/client/factor-input.ts';
import { widthOf } from './columns.ts';
import type { World } from './environment.ts';
import { fold } from './fold.ts';
import type { Output } from './output.ts';

/** What stands on the screen when a token is to be scanned: where there is no picture, a sentence says why. */
export interface Scannable {
  readonly picture?: string;
  readonly sentence: string;
}

const usualScreen = { columns: 80, rows: 24 };

/** All of it fits the screen together with the secret, which stands below the sentence, and the question. */
export function scannable(
  { error, environment }: Pick<World, 'error' | 'environment'>,
  { drawsColour }: Pick<Output, 'drawsColour'>,
  token: OtpauthToken,
): Scannable {
  const name = `${token.issuer}:${token.account}`;
  const typed = (why: string) => ({ sentence: `Type this into an authenticator app, for ${name}${why}:` });
  // A picture in a file or a log is a secret there.
  if (error.isTTY !== true) return typed('');
  if (!isUtf8(environment))
    return typed(' (the locale has no blocks to draw a QR code with; LC_ALL=C.UTF-8 has)');
  const columns = error.columns || usualScreen.columns;
  const sentence = `Scan this with an authenticator app, or type in for ${name}:`;
  const question = 1;
  const below = rowsOf(sentence, columns) + rowsOf(groupedSeedText(token.seed), columns) + question;
  const picture = qrCode(shortOtpauthUris(token), {
    style: drawsColour ? 'colours' : 'plain',
    columns,
    rows: (error.rows || usualScreen.rows) - below,
  });
  return picture === undefined ? typed(' (the terminal is too small for a QR code)') : { picture, sentence };
}

function isUtf8({ LC_ALL, LC_CTYPE, LANG }: World['environment']): boolean {
  return /utf-?8/i.test(LC_ALL || LC_CTYPE || LANG || '');
}

function rowsOf(text: string, columns: number): number {
  return fold(text, columns).reduce(
    (rows, line) => rows + Math.max(1, Math.ceil(widthOf(line) / columns)),
    0,
  );
}
