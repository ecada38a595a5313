import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Encrypter } from 'age-encryption';
import { type BackupHeader, readBackup, writeBackup } from '../../daemon/api/backup-format.ts';
import { sealSchema } from '../../daemon/sealing/seal.ts';
import { hotp, newSecret, totp } from '../support/codes.ts';
import { run } from '../support/rig/commands.ts';
import { Own } from '../support/sandbox.ts';

/**
 * Backups are taken while logins continue, are encrypted so that others cannot read them, and are restored so that no
 * used code is accepted again.
 */
let own: Own;
before(async () => {
  own = await Own.init();
});
after(() => own.remove());

/** A complete backup that was not created with the master key: sealed to the same public key, with a correct digest. */
async function forged(inside: string): Promise<Uint8Array> {
  let header: BackupHeader | undefined;
  const page: [Buffer, Buffer][] = [];
  const bytes = (async function* () {
    yield readFileSync(inside);
  })();
  for await (const part of readBackup(bytes)) {
    if (part.kind === 'header') header = part.header;
    if (part.kind === 'entry') page.push([part.key, part.value]);
  }
  assert.ok(header !== undefined);
  const entries = (async function* () {
    yield page.slice(1);
  })();
  const chunks: Buffer[] = [];
  const mac = () => '00'.repeat(32);
  for await (const chunk of writeBackup({ header, entries, mac })) chunks.push(chunk);
  const encrypter = new Encrypter();
  encrypter.addRecipient(own.recipient);
  return encrypter.encrypt(Buffer.concat(chunks));
}

let count = 0;
const fresh = (): string => join(own.root, `backup${++count}`);

describe('a backup', () => {
  test('taken among 64 concurrent logins is one moment of the store, and delays none of them', async () => {
    const client = await own.start();
    const secrets = new Map<string, Buffer>();
    for (const user of ['daemon', 'bin', 'sys', 'sync']) {
      const secret = newSecret();
      secrets.set(user, secret);
      await own.addToken('hotp', user, secret);
    }
    let accepted = 0;
    const logins = [...secrets].map(async ([user, secret]) => {
      for (let counter = 0; counter < 16; counter += 1) {
        const tries = Array.from({ length: 16 }, () =>
          client.verify(user, { answer: hotp(secret, counter) }),
        );
        const verdicts = await Promise.all(tries);
        const good = verdicts.filter(({ outcome }) => outcome === 'accepted').length;
        assert.equal(good, 1, 'once is once');
        accepted += good;
        if (verdicts.length > good) await client.unlock(user);
      }
    });
    const files = [fresh(), fresh(), fresh()];
    const backups = (async () => {
      for (const file of files) await own.must(own.backup(file));
    })();
    await Promise.all([...logins, backups]);
    assert.equal(accepted, 64);
    await own.stop();
    for (const file of files) {
      const restored = await own.must(own.opening('restore', file, '--dry-run', '--json'));
      const lines = restored
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
      assert.equal(lines.at(-1).done.accounts, 4);
      assert.ok(!lines.some(({ noted }) => noted?.note.startsWith('record')), restored);
    }
  });

  test('is readable only by its caller, never overwrites a file, and describes itself', async () => {
    await own.start();
    const file = fresh();
    await own.must(own.backup(file));
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const before = readFileSync(file);
    const again = await own.cli(own.backup(file));
    assert.equal(again.status, 1);
    assert.match(again.stderr, /there already/);
    assert.deepEqual(readFileSync(file), before);
    const reported = JSON.parse(await own.must(own.opening('backup', '--verify', file, '--json')));
    assert.deepEqual(
      [reported.schema, reported.accounts, reported.withMasterKey, reported.whole],
      [sealSchema, 4, false, true],
    );
    for (const field of ['storeId', 'commit', 'taken', 'host', 'keyId']) assert.ok(field in reported, field);
  });

  test('reveals no seed and no key, not even inside, unless requested', async () => {
    const secret = Buffer.from('a seed that is easy to find');
    await own.addToken('totp', 'games', secret);
    const [sealed, plain] = [fresh(), fresh()];
    await own.must(own.backup(sealed));
    const opened = await run('bash', [
      '-c',
      `age-keygen -o ${own.root}/k 2>/dev/null; age-keygen -y ${own.root}/k`,
    ]);
    assert.equal(opened.status, 0, opened.stderr);
    const to = ['--recipient', opened.stdout.trim()];
    const both = await own.cli(['backup', plain, ...to, '--passphrase-file', own.keyFile]);
    assert.match(both.stderr, /, not both/);
    await own.must(['backup', plain, ...to]);
    // The upstream tool decrypts it: the content is what an attacker would see after breaking the encryption.
    const inside = await run('bash', ['-c', `age -d -i ${own.root}/k ${plain} > ${own.root}/inside`]);
    assert.equal(inside.status, 0, inside.stderr);
    const key = readFileSync(own.keyFile, 'utf8').split(/\s/).at(-2) ?? '';
    for (const bytes of [readFileSync(sealed), readFileSync(plain), readFileSync(join(own.root, 'inside'))])
      for (const text of [
        secret,
        Buffer.from(secret.toString('base64')),
        Buffer.from(key),
        Buffer.from(key, 'base64'),
      ])
        assert.equal(bytes.indexOf(text), -1);
    assert.notEqual(readFileSync(join(own.root, 'inside')).indexOf('sallyport backup 1'), -1);
    const verified = await own.must([
      'backup',
      '--verify',
      plain,
      '--identity',
      join(own.root, 'k'),
      '--json',
    ]);
    assert.equal(JSON.parse(verified).whole, true);
  });

  test('with the master key contains it, says so, and is audited', async () => {
    const file = fresh();
    const done = await own.cli(own.backup(file, '--with-master-key'));
    assert.equal(done.status, 0, done.stderr);
    assert.match(done.stderr, /contains the master key/);
    assert.match(await own.must(['audit']), /store\tdone\tbackup-with-key.*uid:0/);
  });

  test('requires a passphrase of sufficient length, from any place but the command line', async () => {
    writeFileSync(join(own.root, 'short'), 'short\n');
    const short = await own.cli(['backup', fresh(), '--passphrase-file', join(own.root, 'short')]);
    assert.equal(short.status, 2);
    assert.match(short.stderr, /10 characters/);
    const piped = fresh();
    await own.must(['backup', piped], 'correct horse battery\n');
    await own.must(own.withPassphrase('backup', '--verify', piped));
    const wrong = await own.cli(['backup', '--verify', piped], 'wrong horse battery\n');
    assert.equal(wrong.status, 1);
    assert.match(wrong.stderr, /passphrase or key is wrong/);
  });

  test('on a full disk fails, and leaves nothing that looks like a backup', async () => {
    const place = join(own.root, 'small');
    mkdirSync(place);
    const words = own.command(own.backup(`${place}/b`)).join(' ');
    const script = `mount -t tmpfs -o size=4k none ${place} && dd if=/dev/zero of=${place}/fill 2>/dev/null; ${process.execPath} ${words}; code=$?; ls ${place}; exit $code`;
    const full = await run('unshare', ['-m', '--propagation', 'private', 'bash', '-c', script]);
    assert.equal(full.status, 1, full.stderr);
    assert.match(full.stderr, /ENOSPC/);
    assert.equal(full.stdout, 'fill\n');
  });
});

describe('a restore', () => {
  const secret = newSecret();
  const counter = newSecret();
  let keys: readonly string[] = [];
  let file: string;
  let spentCode: string;

  before(async () => {
    await own.addToken('totp', 'mail', secret);
    await own.addToken('hotp', 'mail', counter);
    keys = await own.addRecovery('mail');
    file = fresh();
    await own.must(own.backup(file, '--with-master-key'));
    spentCode = totp(secret);
    assert.equal(await own.verify('mail', spentCode), 'accepted');
    for (const step of [0, 1]) assert.equal(await own.verify('mail', hotp(counter, step)), 'accepted');
    assert.equal(await own.verify('mail', keys[0] ?? ''), 'accepted');
  });

  test('is refused while sallyportd runs, and says what to do', async () => {
    const done = await own.cli(own.opening('restore', file, '--yes'));
    assert.equal(done.status, 1);
    assert.match(done.stderr, /systemctl stop/);
    await own.stop();
  });

  test('asks for confirmation, and without a terminal requires --yes', async () => {
    assert.equal((await own.cli(own.opening('restore', file))).status, 2);
  });

  test('of anything but a complete backup of this store changes nothing', async () => {
    const good = readFileSync(file);
    const found = own.bytes();
    const flipped = (at: number) => {
      const bytes = Buffer.from(good);
      bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
      return bytes;
    };
    const bad = join(own.root, 'bad');
    const middle = Math.floor(good.length / 2);
    for (const bytes of [
      good.subarray(0, middle),
      good.subarray(0, good.length - 1),
      flipped(middle),
      flipped(good.length - 1),
      flipped(90),
      Buffer.alloc(0),
      Buffer.from('not a backup at all\n'),
    ]) {
      writeFileSync(bad, bytes);
      const done = await own.cli(own.opening('restore', bad, '--yes'));
      assert.equal(done.status, 1, done.stdout + done.stderr);
      assert.match(done.stderr, /[Nn]othing was changed/);
      assert.ok(own.bytes().equals(found));
      assert.deepEqual(own.leftovers(), []);
    }
    writeFileSync(bad, await forged(join(own.root, 'inside')));
    const foreign = await own.cli(own.opening('restore', bad, '--yes'));
    assert.equal(foreign.status, 1);
    assert.match(foreign.stderr, /it is forged/);
    assert.ok(own.bytes().equals(found));
    const wrong = await own.cli(['restore', file, '--yes', '--identity', `${own.root}/k`]);
    assert.equal(wrong.status, 1, 'another private key');
    assert.ok(own.bytes().equals(found));
    await own.must(own.opening('restore', file, '--dry-run'));
    assert.ok(own.bytes().equals(found), 'a dry run changes nothing either');
  });

  test('on a full disk changes nothing', async () => {
    const found = own.bytes();
    const words = own.command(own.opening('restore', file, '--yes')).join(' ');
    const script = `ulimit -f 10; ${process.execPath} ${words}`;
    const full = await run('bash', ['-c', script]);
    assert.notEqual(full.status, 0);
    assert.ok(own.bytes().equals(found));
    assert.ok((await own.must(['store', 'check'])) === '');
    assert.deepEqual(own.leftovers(), []);
  });

  test('makes no used code acceptable again, if the replaced store can be read', async () => {
    await own.must(own.opening('restore', file, '--yes'));
    const client = await own.start();
    assert.notEqual(await own.verify('mail', spentCode), 'accepted');
    assert.notEqual(await own.verify('mail', totp(secret)), 'accepted');
    for (const step of [0, 1]) {
      const verdict = await client.verify('mail', { answer: hotp(counter, step) });
      assert.equal(verdict.outcome === 'refused' && verdict.reason, 'replay');
    }
    await client.unlock('mail');
    const pair = { answer: hotp(counter, 1), previous: hotp(counter, 0) };
    assert.equal((await client.verify('mail', pair)).outcome, 'refused', 'nor two spent ones in a row');
    assert.equal((await client.verify('mail', { answer: hotp(counter, 2) })).outcome, 'refused');
    const two = { answer: hotp(counter, 3), previous: hotp(counter, 2) };
    assert.equal((await client.verify('mail', two)).outcome, 'accepted');
    assert.notEqual(await own.verify('mail', keys[0] ?? ''), 'accepted');
    assert.equal(await own.verify('mail', keys[1] ?? ''), 'accepted', 'one that was never used');
    assert.match(await own.must(['audit']), /restored from backup of 20.* at commit \d+/);
    await own.stop();
  });

  test('nor if it cannot: all recovery keys are void, and the command names their accounts', async () => {
    const reported = await own.must(own.opening('restore', file, '--yes', '--ignore-store'));
    assert.match(reported, /^mail\trecovery-void\trecovery\t/m);
    assert.match(reported, /^mail\ttwo-in-a-row\thotp\t/m);
    const client = await own.start();
    for (const key of keys.slice(0, 4)) assert.notEqual(await own.verify('mail', key), 'accepted');
    for (const step of [0, 1])
      assert.equal((await client.verify('mail', { answer: hotp(counter, step) })).outcome, 'refused');
    assert.notEqual(await own.verify('mail', spentCode), 'accepted');
    await own.stop();
  });

  test('works on another machine with another master key', async () => {
    const other = await Own.init();
    try {
      const without = fresh();
      await own.start();
      await own.must(own.backup(without));
      await own.stop();
      const refused = await other.cli(own.opening('restore', without, '--yes'));
      assert.equal(refused.status, 1);
      assert.match(refused.stderr, /--master-key/);
      await other.must(own.opening('restore', without, '--yes', '--master-key', own.keyFile));
      await other.must(own.opening('restore', file, '--yes'));
      rmSync(other.keyFile);
      const lost = await other.cli(own.opening('restore', file, '--yes'));
      assert.equal(lost.status, 1);
      assert.match(lost.stderr, /--generate-key/);
      await other.must(own.opening('restore', file, '--yes', '--generate-key'));
      const client = await other.start();
      const two = { answer: hotp(counter, 8), previous: hotp(counter, 7) };
      assert.equal((await client.verify('mail', two)).outcome, 'accepted');
    } finally {
      await other.remove();
    }
  });

  test('keeps replaced stores until they are discarded', async () => {
    await own.must(['store', 'discard', '--yes']);
    const left = await own.cli(['store', 'discard', '--yes']);
    assert.match(left.stderr, /no replaced store found/);
  });
});
