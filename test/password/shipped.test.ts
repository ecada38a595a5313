import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { before, describe, it } from 'node:test';
import { limits } from '../../daemon/limits.ts';
import * as numbers from '../../daemon/protocol/password.ts';
import { repoRoot, sourcesOf } from '../support/native.ts';
import { passwordDirectory, shippedPasswordHelper } from '../support/password-rig.ts';

let program = '';
before(async () => {
  program = await shippedPasswordHelper();
});

const tool = (name: string, ...args: readonly string[]) =>
  execFileSync(name, [...args, program], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });

describe('the shipped password helper', () => {
  it('is bound at once, position-independent, has no executable stack, and uses only libpam', () => {
    assert.match(tool('readelf', '-d'), /BIND_NOW/);
    assert.match(tool('readelf', '-h'), /DYN/);
    assert.match(tool('readelf', '-lW'), /GNU_RELRO/);
    assert.match(tool('readelf', '-lW'), /GNU_STACK.*\bRW\b(?!E)/);
    const needed = [...tool('readelf', '-d').matchAll(/\(NEEDED\).*\[(.*)\]/g)].map(([, of]) => of);
    assert.deepEqual(needed.sort(), ['libc.so.6', 'libpam.so.0']);
    assert.equal(statSync(program).mode & 0o6000, 0);
  });

  it('reads no environment, starts nothing, opens no thread, and takes no service name', () => {
    const symbols = tool('nm', '-D', '--undefined-only');
    assert.match(symbols, /pam_authenticate/);
    assert.doesNotMatch(symbols, /\b(secure_)?getenv|fork|exec[lv]|system@|popen|posix_spawn|pthread_create/);
    assert.doesNotMatch(symbols, /\bsocket@|\bconnect@|\blisten@|\bfopen@|\bopen(at|64)?@/);
    const strings = tool('strings', '-n', '5');
    assert.match(strings, /^sallyport-password$/m);
    assert.doesNotMatch(strings, /SALLYPORT|common-auth/);
  });

  it('is built from every source beside it', () => {
    const built = new Set(sourcesOf('sallyport-password'));
    const beside = readdirSync(passwordDirectory).filter((name) => name.endsWith('.c'));
    assert.ok(beside.length > 3);
    for (const name of beside) assert.ok(built.has(path.join(passwordDirectory, name)), name);
  });
});

describe('the shipped service', () => {
  const text = readFileSync(path.join(repoRoot, 'pam-config/pam.d/sallyport-password'), 'utf8');
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));

  it('ends each part in a line that refuses, includes nothing, and accepts no login without a password', () => {
    for (const part of ['auth', 'account']) {
      const own = lines.filter((line) => line.startsWith(part));
      assert.match(own.at(-1) ?? '', /^\w+\s+required\s+pam_deny\.so$/, part);
    }
    assert.ok(lines.every((line) => /^(auth|account)\s/.test(line)));
    assert.doesNotMatch(lines.join('\n'), /include|substack|nullok|pam_permit|pam_sallyport|pam_faildelay/);
    for (const line of text.split('\n').filter((one) => /^#?auth .*pam_(sss|winbind)/.test(one)))
      assert.match(line, / use_first_pass$/);
  });
});

describe('the numbers of the password helper', () => {
  const header = readFileSync(path.join(passwordDirectory, 'protocol.h'), 'utf8');
  const inC = new Map(
    [...header.matchAll(/^ {4}(\w+) = (\w+),$/gm)].map(([, name = '', value]) => [name, Number(value)]),
  );
  const page =
    readFileSync(path.join(repoRoot, 'docs/reference/protocol.md'), 'utf8').split(
      '# The password helper',
    )[1] ?? '';

  it('are the same in C, in the daemon and on the page', () => {
    for (const [prefix, table] of [
      ['FRAME', numbers.frameTypes],
      ['TAG', numbers.fieldTags],
      ['VERDICT', numbers.codes],
    ] as const) {
      for (const [name, value] of Object.entries(table)) {
        assert.equal(inC.get(`${prefix}_${name.toUpperCase()}`), value, name);
        const written =
          prefix === 'VERDICT' ? `| ${value} | ${name} |` : `0x${value.toString(16).padStart(2, '0')}`;
        assert.ok(page.includes(written), `${name} on the page`);
      }
      const names = [...inC.keys()].filter((name) => name.startsWith(`${prefix}_`));
      assert.equal(names.length, Object.keys(table).length);
    }
    assert.equal(inC.get('PASSWORD_PROTOCOL_VERSION'), numbers.protocolVersion);
  });

  it('have the same limits on both sides', () => {
    const same = {
      USER_MAX: limits.userLength,
      SOURCE_MAX: limits.passwordSourceLength,
      PASSWORD_MAX: limits.passwordLength,
      DEADLINE_MIN: limits.shortestPasswordDeadline,
      DEADLINE_MAX: limits.longestPasswordDeadline,
    };
    for (const [name, value] of Object.entries(same)) assert.equal(inC.get(name), value, name);
    assert.ok(limits.passwordWait <= limits.longestPasswordDeadline);
  });
});
