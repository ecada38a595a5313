import assert from 'node:assert/strict';
import * as v from 'valibot';
import { fc } from '../../../support/property.ts';

/** Values at the limits of fields, and of every other type. */
const odd: readonly unknown[] = [
  ...[-2, -1, 0, 1, 0.5, 5, 6, 7, 8, 9, 10, 11, -10, -11, 14, 15, 30, 300, 301, 1e21],
  ...[2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER, 2 ** 53, Number.NaN, null, true, false, undefined],
  ...['', 'A', 'AA==', 'A-_', 'a+/=', '=', 'cccc', 'ccc', 'cb', 'vv'.repeat(9), '0'.repeat(16), 'now'],
  ...['0123456789abcdeF', 'sha1', 'sha512', 'md5', 'es256', 'local', 'cloud', 'totp', 'hotp', 'scratch'],
  ...['00000000-0000-0000-0000-000000000000', 'sk-ssh-ed25519@openssh.com', '12345678', '02345678'],
  ...[[], ['AA=='], [null], [1], {}, { seconds: 1, at: 1 }, { scheme: 'proxmox', secret: 'f'.repeat(16) }],
  ...[['12345678'], ['f'.repeat(64), null], { seconds: 0.5, at: 1 }, { seconds: 1, at: -1, more: 1 }],
];

/** The kinds that the former schemas know. */
export const formerKinds: readonly string[] = [
  'totp',
  'hotp',
  'yubikey',
  'webauthn',
  'u2f',
  'ssh-sk',
  'recovery',
  'scratch',
  'bypass',
];

type Read = (input: unknown) => unknown;

/** Throws the same for everything that a schema rejects. */
const reading =
  (schema: v.GenericSchema): Read =>
  (input) => {
    const read = v.safeParse(schema, input);
    if (!read.success) throw new Error('rejected');
    return read.output;
  };

/** Two schemas accept and reject the same, as in `assertSameReads`. */
export function assertSame(former: v.GenericSchema, now: v.GenericSchema, samples: readonly object[]): void {
  assertSameReads(reading(former), reading(now), samples);
}

interface Outcome {
  readonly made?: unknown;
  readonly message?: string;
}

function outcomeOf(read: Read, input: unknown): Outcome {
  try {
    return { made: read(input) };
  } catch (error) {
    assert.ok(error instanceof Error);
    // It lists the kinds, and there may be more by now.
    return { message: error.message.replace(/(the field "kind" of the request must be )\(.*\)/, '$1…') };
  }
}

/**
 * Two readers accept and reject the same: the samples, and each with up to three of its fields omitted, added or
 * replaced by something odd. Their results and error messages are the same too.
 */
export function assertSameReads(former: Read, now: Read, samples: readonly object[]): void {
  const names = [...new Set(samples.flatMap((sample) => Object.keys(sample))), 'unknown', '__proto'];
  const change = fc.record({
    name: fc.constantFrom(...names),
    value: fc.option(fc.oneof(fc.constantFrom(...odd), fc.string(), fc.integer(), fc.jsonValue()), {
      nil: undefined,
    }),
    isLeftOut: fc.boolean(),
  });
  const seen = { accepted: 0, rejected: 0 };
  const compare = (given: object) => {
    const before = outcomeOf(former, given);
    assert.deepEqual(outcomeOf(now, given), before, JSON.stringify(given));
    seen[before.message === undefined ? 'accepted' : 'rejected'] += 1;
  };
  for (const sample of samples)
    for (const name of names) for (const value of odd) compare({ ...sample, [name]: value });
  fc.assert(
    fc.property(fc.constantFrom(...samples), fc.array(change, { maxLength: 3 }), (sample, changes) => {
      const made: Record<string, unknown> = { ...sample };
      for (const { name, value, isLeftOut } of changes)
        if (isLeftOut) delete made[name];
        else made[name] = value;
      compare(made);
    }),
    { numRuns: 1_000 },
  );
  for (const sample of samples)
    assert.equal(outcomeOf(now, sample).message, undefined, JSON.stringify(sample));
  assert.ok(seen.accepted > 200 && seen.rejected > 200, JSON.stringify(seen));
}
