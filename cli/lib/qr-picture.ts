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

/** What enrolment shows for scanning: a QR code, or a sentence that says why it cannot be shown. */
export interface Scannable {
  readonly picture?: string;
  readonly sentence: string;
}

const usualScreen = { columns: 80, rows: 24 };

/** The QR code, the secret below it and the prompt must fit on the screen together. */
export function scannable(
  { error, environment }: Pick<World, 'error' | 'environment'>,
  { drawsColour }: Pick<Output, 'drawsColour'>,
  token: OtpauthToken,
): Scannable {
  const name = `${token.issuer}:${token.account}`;
  const typed = (why: string) => ({
    sentence: `Enter this secret in an authenticator app for ${name}${why}:`,
  });
  // Threat: a QR code in a file or a log reveals the secret.
  if (error.isTTY !== true) return typed('');
  if (!isUtf8(environment)) return typed(' (this locale cannot show a QR code; LC_ALL=C.UTF-8 can)');
  const columns = error.columns || usualScreen.columns;
  const sentence = `Scan this with an authenticator app, or enter the secret for ${name}:`;
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
