import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Config } from '../../../daemon/config/contract.ts';
import { bad, catchAll, good, onlyProblem } from './support.ts';

const audit = (...lines: string[]) => `[audit]\n${lines.join('\n')}\n${catchAll}`;
const realm = (line: string) =>
  `[[realm]]\nname = "first"\nmembers = { users = ["a"] }\nrequire = "any"\n\n[[realm]]\nname = "staff"\nmembers = { users = ["a"] }\nrequire = "any"\n${line}\n${catchAll}`;
const lockout = (setting: string) => realm(`lockout = { ${setting} }`);

const without = ({ deprecated: _, ...config }: Config) => config;

describe('a setting under its former name', () => {
  for (const [former, current, value, text, line] of [
    ['audit.keep', 'max_age', '"30d"', audit, 2],
    ['audit.keep_events', 'max_events', '5000', audit, 2],
    ['audit.keep_bytes', 'max_bytes', '"64M"', audit, 2],
    ['realm.lockout.codes', 'max_code_failures', '3', lockout, 10],
    ['realm.lockout.any', 'max_failures', '30', lockout, 10],
    ['realm.lockout.for', 'duration', '"2h"', lockout, 10],
  ] as const) {
    const name = former.split('.').at(-1) ?? '';

    it(`${former} is read as ${current}, with one warning that has file and line`, () => {
      const config = good(text(`${name} = ${value}`));
      assert.deepEqual(config.deprecated, [
        `test.toml:${line}: ${former} is deprecated and will be removed in the next release; use: ${current}`,
      ]);
      const present = good(text(`${current} = ${value}`));
      assert.equal(present.deprecated, undefined);
      assert.deepEqual(without(config), present);
      assert.notDeepEqual(present, good(text('')), 'the value has an effect');
    });

    it(`${former} beside ${current} is an error that says so`, () => {
      const both =
        text === audit
          ? audit(`${name} = ${value}`, `${current} = ${value}`)
          : text(`${name} = ${value}, ${current} = ${value}`);
      const problem = onlyProblem(both);
      assert.deepEqual([problem.line, problem.key], [line, former]);
      assert.match(
        `${problem.allowed} ${problem.message}`,
        new RegExp(`only ${current} .*former name of ${current}`),
      );
    });

    it(`a wrong value of ${former} is reported under that name, with its line`, () => {
      const { line: at, key } = onlyProblem(text(`${name} = true`));
      assert.deepEqual([at, key], [line, former]);
    });
  }

  it('counts in combined checks of settings', () => {
    const { key, allowed } = onlyProblem(lockout('codes = 9, any = 8'));
    assert.equal(key, 'realm.lockout.any');
    assert.match(allowed, /max_code_failures is 9/);
  });

  it('is unknown anywhere else', () => {
    assert.equal(bad(`keep = "30d"\n${catchAll}`)[0]?.key, 'keep');
    assert.equal(bad(realm('totp = { codes = 3 }'))[0]?.key, 'realm.totp.codes');
  });
});
