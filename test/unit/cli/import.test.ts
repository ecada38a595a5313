import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { type CliRun, runCli } from '../../support/cli-child.ts';
import { hotp } from '../../support/codes.ts';
import { type ControlRig, startControl, uids } from '../../support/control-rig.ts';
import { fob, paper, phone, seed } from '../control/records.ts';

/** `import` and `export` as real processes, on real files, against a real control socket. */

let rig: ControlRig;
let directory: string;
beforeEach(async () => {
  rig = await startControl();
  directory = mkdtempSync(join(tmpdir(), 'sallyport-import-'));
});
afterEach(async () => {
  await rig.close();
  rmSync(directory, { recursive: true, force: true });
});

const cli = (...words: readonly string[]) => runCli(['--config', rig.configFile, ...words]);
const file = (name: string, text: string, { mode = 0o600, uid = 0 } = {}): string => {
  const path = join(directory, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  chownSync(path, uid, uid);
  return path;
};
const hex = seed.toString('hex');
const secretIn = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';
const google = `${secretIn}\n" DISALLOW_REUSE 12\n" TOTP_AUTH\n12345678\n`;
const factorsOf = async (user: string) => (await rig.store.get(user))?.factors ?? [];
const silent = ({ out, err }: CliRun) => {
  for (const secret of [hex, secretIn, seed.toString('base64'), '12345678'])
    assert.ok(!`${out}${err}`.includes(secret), 'no secret is printed');
};

test('oath: what is imported, what is rejected, and the exit statuses', async () => {
  const path = file(
    'users.oath',
    [
      `HOTP alice - ${hex} 6 123456 2023-11-14T22:13:20L`,
      `HOTP bob 99 ${hex}`,
      `HOTP nobody-at-all - ${hex}`,
      'HOTP carol - xx',
      '',
    ].join('\n'),
  );
  const dry = await cli('import', 'oath', path, '--dry-run');
  assert.equal(dry.status, 1);
  assert.equal(rig.store.commits.length, 0);
  assert.deepEqual(
    dry.lines.map((line) => line.split('\t').slice(0, 4)),
    [
      ['alice', 'hotp', 'OATH', 'added'],
      ['bob', 'hotp', 'OATH', 'added'],
      ['bob', 'static PIN', '-', 'cannot'],
      ['nobody-at-all', '-', '-', 'refused'],
    ],
  );
  assert.match(dry.err, /users\.oath:4: carol: the key must be/);
  assert.match(dry.err, /Dry run/);
  const run = await cli('import', 'oath', path);
  assert.equal(run.status, 1);
  assert.deepEqual(
    run.lines.map((line) => line.split('\t').slice(0, 4)),
    dry.lines.slice(2).map((line) => line.split('\t').slice(0, 4)),
  );
  const [token] = await factorsOf('alice');
  assert.ok(token?.kind === 'hotp');
  assert.equal(token.counter, 7);
  for (const one of [dry, run]) silent(one);
  const again = await cli('import', 'oath', path, '--user', 'alice');
  assert.deepEqual([again.status, again.lines], [0, []]);
  assert.match(again.err, /1 account: 0 factors added, 0 with a newer last-used counter, 1 unchanged/);
});

test('an invalid line stops its account, wherever it is, and no other', async () => {
  const other = Buffer.from('another seed of 20 b').toString('hex');
  const path = file(
    'users.oath',
    `HOTP alice - ${hex}\nHOTP bob - ${hex}\nHOTP alice - zz\nHOTP alice - ${other}\n`,
  );
  const run = await cli('import', 'oath', path);
  assert.equal(run.status, 1);
  assert.deepEqual(await factorsOf('alice'), []);
  assert.equal((await factorsOf('bob')).length, 1);
  assert.match(run.err, /users\.oath:1: alice: the account is not imported; correct .*users\.oath:3/);
});

test('what sallyportd could not even read is reported by account, and stops no other', async () => {
  const long = 'x'.repeat(300);
  const path = file('users.oath', `HOTP bob - ${hex}\nHOTP ${long} - ${hex}\nHOTP carol - ${hex}\n`);
  const run = await cli('import', 'oath', path);
  assert.equal(run.status, 1);
  assert.deepEqual(
    run.lines.map((line) => line.split('\t')[0]),
    [long],
  );
  assert.deepEqual([(await factorsOf('bob')).length, (await factorsOf('carol')).length], [1, 1]);
  silent(run);
});

test('JSON: one object an account, and the counts', async () => {
  const path = file('users.oath', `HOTP bob - ${hex}\nHOTP alice - zz\n`);
  const run = await cli('import', 'oath', path, '--json');
  const said = run.lines.map((line) => JSON.parse(line));
  assert.deepEqual(
    said.map(({ user, outcome, unreadable }) => user ?? outcome ?? unreadable),
    ['alice', 'bob', 1],
  );
  assert.equal(said[1]?.factors[0].outcome, 'added');
  silent(run);
});

describe('google-authenticator', () => {
  test('homes: the owner’s, and those without a file are skipped', async () => {
    const homes = ['alice', 'bob', 'carol'].map((name) => {
      const home = join(directory, name);
      mkdirSync(home);
      chownSync(home, uids[name as 'alice'], uids[name as 'alice']);
      return home;
    });
    file('alice/.google_authenticator', google, { uid: uids.alice, mode: 0o400 });
    file('bob/.google_authenticator', google.replace('" DISALLOW_REUSE 12\n', ''), { uid: uids.bob });
    const run = await cli('import', 'google-authenticator', ...homes);
    assert.deepEqual([run.status, run.lines], [0, []]);
    assert.deepEqual(
      (await factorsOf('alice')).map(({ kind }) => kind),
      ['totp', 'scratch'],
    );
    const [token] = await factorsOf('alice');
    assert.ok(token?.kind === 'totp' && token.lastStep === 12);
    assert.equal((await factorsOf('bob')).length, 2);
    assert.match(run.err, /recovery keys/);
    silent(run);
  });

  const refused = async (path: string, said: RegExp, ...more: readonly string[]) => {
    const run = await cli('import', 'google-authenticator', path, ...more);
    assert.equal(run.status, 1);
    assert.match(`${run.out}${run.err}`, said);
    assert.equal(rig.store.commits.length, 0);
    silent(run);
  };

  test('a symbolic link is never followed', async () => {
    const real = file('real', google);
    symlinkSync(real, join(directory, 'link'));
    await refused(join(directory, 'link'), /symbolic link/, '--user', 'bob');
  });

  test('a file readable by others, a foreign directory, a pipe and a missing file are refused', async () => {
    await refused(file('open', google, { mode: 0o644 }), /others may read/, '--user', 'bob');
    await refused(file('writable', google, { mode: 0o620 }), /others may write/, '--user', 'bob');
    mkdirSync(join(directory, 'home'));
    chownSync(join(directory, 'home'), uids.carol, uids.carol);
    // As a link in carol's home may lead to: a file of root's, with another user's words in it.
    file('home/.google_authenticator', google);
    await refused(join(directory, 'home'), /belongs to uid 0/);
    await refused('/dev/null', /not a regular file/);
    await refused(join(directory, 'gone'), /file not found/);
  });

  test("another user's file is not used for the named account", () =>
    refused(file('bobs', google, { uid: uids.bob }), /valid only for its owner/, '--user', 'alice'));
});

describe('what users may write into files that root reads', () => {
  const homeOf = (name: string, uid: number): string => {
    const home = join(directory, name);
    mkdirSync(home);
    chownSync(home, uid, uid);
    return home;
  };

  test('a file of root’s in a home of root’s that is not /root is not root’s factor', async () => {
    // As sshd wants it for ChrootDirectory; and the seed is whose phone has it.
    const home = homeOf('sftp-alice', 0);
    file('sftp-alice/.google_authenticator', google, { mode: 0o400 });
    const run = await cli('import', 'google-authenticator', home);
    assert.equal(run.status, 1);
    assert.match(run.err, /name its account with --user/);
    assert.equal(rig.store.commits.length, 0);
    const said = await cli('import', 'google-authenticator', home, '--user', 'alice');
    assert.equal(said.status, 0);
    assert.ok((await factorsOf('alice')).length > 0);
  });

  test("and the owner's own file in such a home counts for the owner", async () => {
    const home = homeOf('sftp-bob', 0);
    file('sftp-bob/.google_authenticator', google, { uid: uids.bob });
    const run = await cli('import', 'google-authenticator', home);
    assert.deepEqual([run.status, (await factorsOf('bob')).length], [0, 2]);
  });

  test("an invalid line in a user's file stops no other account", async () => {
    const path = file('users.oath', `HOTP alice - ${hex}\nHOTP bob - ${hex}\n`);
    const own = file('own.oath', 'HOTP alice - zz\nHOTP bob - zz\n', { uid: uids.bob });
    const run = await cli('import', 'oath', path, own);
    assert.equal(run.status, 1);
    assert.match(run.err, /own\.oath:1: alice: the key must be/);
    assert.deepEqual([(await factorsOf('alice')).length, (await factorsOf('bob')).length], [1, 1]);
  });

  test('except what its owner says in it, and an invalid line of root’s stops that too', async () => {
    const own = file('own.oath', `HOTP bob - ${hex}\nHOTP bob - zz\n`, { uid: uids.bob });
    assert.equal((await cli('import', 'oath', own)).status, 1);
    const good = file('good.oath', `HOTP bob - ${hex}\n`, { uid: uids.bob });
    assert.equal((await cli('import', 'oath', good, file('users.oath', 'HOTP bob - zz\n'))).status, 1);
    assert.deepEqual(await factorsOf('bob'), []);
  });

  test('an endless file is not read to its end', async () => {
    const path = file('own.oath', `HOTP bob - ${hex}\n`, { uid: uids.bob });
    truncateSync(path, 2 ** 40);
    const run = await cli('import', 'oath', path);
    assert.equal(run.status, 1);
    assert.match(run.err, /own\.oath: it is larger than 1048576 bytes/);
    assert.equal(rig.store.commits.length, 0);
  });
});

test('the password of a PSKC file is read from standard input, once', async () => {
  const path = file('password.pskc', readFileSync('test/vectors/import/password.pskc', 'utf8'));
  const words = ['--config', rig.configFile, 'import', 'pskc', path];
  const none = await runCli(words);
  assert.equal(none.status, 2);
  const run = await runCli(words, 'qwerty\n');
  assert.equal(run.status, 0, run.err);
  assert.equal((await factorsOf('alice')).length, 1);
  assert.equal((await runCli(words, 'wrong\n')).status, 1);
});

test('usage: 2', async () => {
  for (const words of [
    ['import'],
    ['import', 'oath'],
    ['import', 'nothing', 'x'],
    ['export', '--format', 'csv', '-o', 'x'],
    ['export', '--all', '-o', 'x'],
  ])
    assert.equal((await cli(...words)).status, 2, words.join(' '));
});

test('no daemon: 4', async () => {
  const path = file('users.oath', `HOTP bob - ${hex}\n`);
  await rig.server.close();
  assert.equal((await cli('import', 'oath', path)).status, 4);
});

test('a truncated file imports nothing, whatever precedes the cut', async () => {
  const text = readFileSync('test/vectors/import/plain.pskc', 'utf8');
  const whole = file('whole.pskc', text);
  const cut = file('cut.pskc', text.slice(0, text.indexOf('<Key Id="pin"')));
  const run = await cli('import', 'pskc', cut);
  assert.equal(run.status, 1);
  assert.match(run.err, /cut\.pskc: line \d+: malformed XML/);
  assert.match(run.err, /cannot be read to its end/);
  assert.deepEqual([await factorsOf('alice'), await factorsOf('bob')], [[], []]);
  // Another file named beside it is complete, and is imported.
  const both = await cli(
    'import',
    'pskc',
    cut,
    file('other.pskc', text.replaceAll('bob', 'portal')),
    '--user',
    'portal',
  );
  assert.equal(both.status, 1);
  assert.equal((await factorsOf('portal')).length, 1);
  assert.equal((await cli('import', 'pskc', whole, '--user', 'bob')).status, 1, 'a PIN cannot come over');
  assert.equal((await factorsOf('bob')).length, 1);
});

test('a file with nothing for the requested account, or for any, is reported', async () => {
  const pskc = file('tokens.pskc', readFileSync('test/vectors/import/plain.pskc', 'utf8'));
  const oath = file('users.oath', `HOTP bob - ${hex}\n`);
  for (const words of [
    ['pskc', pskc, '--user', 'portal'],
    ['oath', oath, '--user', 'portal'],
    ['csv', file('own.csv', 'user,kind,public_id\nbob,yubikey,cccccccccccb\n'), '--user', 'portal'],
  ]) {
    const run = await cli('import', ...words);
    assert.equal(run.status, 1, words.join(' '));
    assert.match(run.err, /portal: the account is not in the file/);
  }
  const empty = await cli('import', 'oath', file('empty', '# nothing\n'));
  assert.equal(empty.status, 1);
  assert.match(empty.err, /no account found/);
});

test('csv as spreadsheets and Windows write it is accepted or named', async () => {
  const own = 'user,kind,public_id\nbob,yubikey,cccccccccccb\n';
  for (const [text, said] of [
    [own.replaceAll(',', ';'), /semicolons/],
    [own.replaceAll(',', '\t'), /tabs/],
  ] as const) {
    const run = await cli('import', 'csv', file('own.csv', text));
    assert.equal(run.status, 1);
    assert.match(run.err, said);
  }
  const path = file('wide.csv', '');
  for (const bytes of [
    Buffer.from(`\ufeff${own}`, 'utf16le'),
    Buffer.from(`\ufeff${own}`, 'utf16le').swap16(),
    Buffer.from(own, 'utf16le'),
  ]) {
    writeFileSync(path, bytes);
    for (const format of ['csv', 'oath', 'pskc']) {
      const run = await cli('import', format, path);
      assert.equal(run.status, 1);
      assert.match(run.err, /UTF-16.*iconv/, format);
    }
  }
  assert.deepEqual(await factorsOf('bob'), []);
});

describe('export', () => {
  const target = () => join(directory, 'out');
  beforeEach(async () => {
    await rig.store.put('bob', {
      factors: [
        { ...phone, lastStep: 99 },
        { ...fob, counter: 5, name: 'a "fob", mine' },
      ],
    });
  });

  test('CSV is read back with its counters, names and flags', async () => {
    await rig.store.put('carol', { factors: [{ ...fob, enabled: false }, paper] });
    const run = await cli('export', '--all', '--format', 'csv', '-o', target(), '--yes');
    assert.equal(run.status, 1, 'recovery keys stay');
    assert.deepEqual(run.lines, [
      'carol\trecovery\tpaper\tstays\tonly hashes of recovery keys are kept; make a new set there',
    ]);
    assert.equal(statSync(target()).mode & 0o777, 0o600);
    const before = [await factorsOf('bob'), (await factorsOf('carol')).slice(0, 1)];
    silent(run);
    for (const user of ['bob', 'carol']) await rig.store.put(user, { factors: [] });
    const back = await cli('import', 'csv', target());
    assert.equal(back.status, 0, back.err + back.out);
    const ids = (factors: Awaited<ReturnType<typeof factorsOf>>) =>
      factors.map((factor) => ({ ...factor, id: '' }));
    assert.deepEqual([ids(await factorsOf('bob')), ids(await factorsOf('carol'))], before.map(ids));
    assert.deepEqual(rig.store.trail.map(({ kind }) => kind).sort(), [
      'exported',
      'exported',
      'imported',
      'imported',
      'imported',
    ]);
  });

  test('URIs: what apps read, and no disabled factors', async () => {
    await rig.store.put('bob', { factors: [phone, { ...fob, enabled: false }] });
    const run = await cli('export', 'bob', '--format', 'otpauth', '-o', target(), '--yes');
    assert.equal(run.status, 1);
    assert.match(readFileSync(target(), 'utf8'), /^otpauth:\/\/totp\/Sallyport:bob\?secret=GEZD[^\n]*\n$/);
    assert.match(run.out, /fob\tstays\tit is disabled/);
  });

  test('asks first, overwrites nothing, and leaves no partial file', async () => {
    const words = ['export', 'bob', '--format', 'csv', '-o', target()];
    assert.equal((await cli(...words)).status, 2);
    assert.throws(() => statSync(target()));
    const missing = await cli('export', 'bob', 'carol', '--format', 'csv', '-o', target(), '--yes');
    assert.equal(missing.status, 3);
    assert.throws(() => statSync(target()));
    writeFileSync(target(), 'mine');
    assert.equal((await cli(...words, '--yes')).status, 2);
    assert.equal(readFileSync(target(), 'utf8'), 'mine');
    assert.equal(rig.store.trail.filter(({ account }) => account === 'carol').length, 0);
  });
});

test('an HOTP factor continues from its counter', async () => {
  await cli('import', 'oath', file('users.oath', `HOTP bob - ${hex} 6 123456 2023-11-14T22:13:20L\n`));
  const said = async (counter: number) =>
    (await runCli(['--config', rig.configFile, 'verify', 'bob'], `${hotp(seed, counter)}\n`)).status;
  assert.deepEqual([await said(6), await said(7), await said(7)], [1, 0, 1]);
});
