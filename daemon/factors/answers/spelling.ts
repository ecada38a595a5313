import { createHash } from 'node:crypto';
import { answerFormatOf } from './answer-format.ts';
import { blank, foreign, readAnswer, wipeReading } from './reading.ts';

const anyDigits: ReadonlySet<number> = new Set([6, 7, 8]);

/**
 * Determines whether two answers are the same, in any spelling, so that neither has to be kept.
 *
 * Invariant: no string is created that is not a complete code or key: the answer may be a password.
 */
export function answerDigest(answer: Buffer): string {
  const shape = answerFormatOf(answer, anyDigits);
  const hash = createHash('sha256');
  if ('text' in shape) return hash.update(`${shape.kind}:${shape.text}`).digest('base64');
  const reading = readAnswer(answer);
  const spelled = Buffer.alloc(reading.symbols.length * 4);
  let end = 0;
  let length = 0;
  for (const [index, symbol] of reading.symbols.entries()) {
    if (symbol === blank && length === 0) continue;
    const what = symbol === foreign ? (reading.points[index] ?? 0) : symbol;
    length = spelled.writeUInt32LE(what, length);
    if (symbol !== blank) end = length;
  }
  const digest = hash.update(spelled.subarray(0, end)).digest('base64');
  spelled.fill(0);
  wipeReading(reading);
  return digest;
}
