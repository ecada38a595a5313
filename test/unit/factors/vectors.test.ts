import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { describe, it } from 'node:test';
import type { OtpAlgorithm, OtpDigits } from '../../../daemon/factors/contract.ts';
import { hotp } from '../../../daemon/factors/hotp.ts';
import { codeAt } from '../../../daemon/factors/otp.ts';
import { totp } from '../../../daemon/factors/totp.ts';
import { contextAt, hotpRecord, totpRecord } from './records.ts';

/** RFC 4226, appendix D: "12345678901234567890", counters 0 to 9. */
const hotpCodes = [
  '755224',
  '287082',
  '359152',
  '969429',
  '338314',
  '254676',
  '287922',
  '162583',
  '399871',
  '520489',
];

/** RFC 6238, appendix B: seconds since 1970, and the codes of SHA-1, SHA-256 and SHA-512. */
const totpCodes: readonly (readonly [number, string, string, string])[] = [
  [59, '94287082', '46119246', '90693936'],
  [1_111_111_109, '07081804', '68084774', '25091201'],
  [1_111_111_111, '14050471', '67062674', '99943326'],
  [1_234_567_890, '89005924', '91819424', '93441116'],
  [2_000_000_000, '69279037', '90698825', '38618901'],
  [20_000_000_000, '65353130', '77737706', '47863826'],
];

/** The seed of each algorithm in that appendix has the length of its hash (erratum 2866). */
const seedOf = (algorithm: OtpAlgorithm) =>
  Buffer.from('1234567890'.repeat(7).slice(0, { sha1: 20, sha256: 32, sha512: 64 }[algorithm]));

describe('RFC 4226, appendix D', () => {
  it('gives the codes of all ten counters, each accepted at its own counter', () => {
    for (const [counter, code] of hotpCodes.entries()) {
      const record = hotpRecord({ secret: seedOf('sha1').toString('base64'), counter });
      assert.equal(codeAt(record, counter), code);
      const verdict = hotp.verify(record, { kind: 'code', text: code }, contextAt(0));
      assert.equal(verdict.outcome === 'accepted' && verdict.record.counter, counter + 1);
    }
  });
});

describe('RFC 6238, appendix B', () => {
  for (const [column, algorithm] of (['sha1', 'sha256', 'sha512'] as const).entries()) {
    it(`gives the codes of ${algorithm}, each accepted at its own second`, () => {
      for (const [seconds, ...codes] of totpCodes) {
        const code = codes[column] ?? '';
        const record = totpRecord({ secret: seedOf(algorithm).toString('base64'), digits: 8, algorithm });
        assert.equal(codeAt(record, Math.floor(seconds / 30)), code);
        const verdict = totp.verify(
          record,
          { kind: 'code', text: code },
          contextAt(seconds * 1000, { skew: 0 }),
        );
        assert.equal(verdict.outcome === 'accepted' && verdict.record.lastStep, Math.floor(seconds / 30));
      }
    });
  }
});

describe('agreement with oathtool', () => {
  const run = (...args: readonly string[]): readonly string[] => {
    const { status, stdout, stderr, error } = spawnSync('oathtool', args, { encoding: 'utf8' });
    assert.equal(status, 0, `oathtool ${args.join(' ')}: ${error?.message ?? stderr}`);
    return stdout.trim().split('\n');
  };
  const lengths: readonly OtpDigits[] = [6, 7, 8];

  it('on the TOTP of random seeds, times, periods, lengths and algorithms', () => {
    for (const algorithm of ['sha1', 'sha256', 'sha512'] as const) {
      for (const digits of lengths) {
        const seed = randomBytes(randomInt(10, 65));
        const seconds = randomInt(0, 2 ** 33);
        const period = randomInt(15, 301);
        const record = totpRecord({ secret: seed.toString('base64'), digits, period, algorithm });
        const ours = codeAt(record, Math.floor(seconds / period));
        const flags = [`--totp=${algorithm}`, `--digits=${digits}`, `--time-step-size=${period}s`];
        const theirs = run(...flags, `--now=@${seconds}`, seed.toString('hex'));
        assert.deepEqual([ours], theirs, `${flags.join(' ')} --now=@${seconds} ${seed.toString('hex')}`);
      }
    }
  });

  it('on the HOTP of random seeds and counters', () => {
    for (const digits of lengths) {
      const seed = randomBytes(randomInt(10, 65));
      const counter = randomInt(0, 2 ** 47);
      const record = hotpRecord({ secret: seed.toString('base64'), digits, counter });
      const ours = Array.from({ length: 11 }, (_, ahead) => codeAt(record, counter + ahead));
      const flags = [`--digits=${digits}`, `--counter=${counter}`, '--window=10'];
      assert.deepEqual(
        ours,
        run(...flags, seed.toString('hex')),
        `${flags.join(' ')} ${seed.toString('hex')}`,
      );
    }
  });
});
