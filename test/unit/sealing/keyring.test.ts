import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { createMasterKey, loadKeyring } from '../../../daemon/sealing/keyring.ts';

describe('the master key', () => {
  let directory: string;
  let path: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sallyport-key-'));
    path = join(directory, 'master.key');
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const keyText = (byte: number): string => Buffer.alloc(32, byte).toString('base64');
  const write = (text: string, mode = 0o600): void => {
    writeFileSync(path, text);
    chmodSync(path, mode);
  };

  it('is created readable only by its owner, and never over an existing one', () => {
    createMasterKey(path);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    const text = readFileSync(path, 'utf8');
    assert.match(text, /^# .+\n[0-9a-f]{8} [A-Za-z0-9+/]{43}=\n$/);
    assert.throws(() => createMasterKey(path), { code: 'store-exists' });
    assert.equal(readFileSync(path, 'utf8'), text);
  });

  it('is refused when others can read it, without revealing its content', () => {
    for (const mode of [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644]) {
      write(`k1 ${keyText(1)}\n`, mode);
      assert.throws(
        () => loadKeyring({ path }),
        (error: Error & { code?: string }) =>
          error.code === 'store-key' &&
          /chmod 0600/.test(error.message) &&
          !error.message.includes(keyText(1)),
      );
    }
    write(`k1 ${keyText(1)}\n`, 0o400);
    assert.equal(loadKeyring({ path }).current, 'k1');
  });

  it('is refused when it is missing or malformed, by line', () => {
    assert.throws(() => loadKeyring({ path }), { code: 'store-key', message: /Put it back/ });
    const bad = [
      '',
      '# only a comment\n',
      'k1\n',
      `k1 ${keyText(1).slice(0, 40)}\n`,
      `k1 ${keyText(1)} more\n`,
      `k/1 ${keyText(1)}\n`,
      `k1 ${keyText(1)}\nk1 ${keyText(2)}\n`,
      `${keyText(1)}\n`,
    ];
    for (const text of bad) {
      write(text);
      assert.throws(() => loadKeyring({ path }), { code: 'store-key' }, JSON.stringify(text));
    }
    write(`# comment\n\nk1 ${keyText(1)}\nbroken\n`);
    assert.throws(() => loadKeyring({ path }), { message: /line 4/ });
  });

  it('encrypts with its first line and decrypts with all of them', () => {
    write(`new ${keyText(2)}\nold ${keyText(1)}\n`);
    const keyring = loadKeyring({ path });
    assert.equal(keyring.current, 'new');
    assert.ok(keyring.has('old') && !keyring.has('other'));
    assert.ok(!keyring.key('record', 'new').equals(keyring.key('record', 'old')));
    assert.throws(() => keyring.key('record', 'other'), { code: 'store-key', message: /it holds new, old/ });
  });

  it('gives each purpose a separate key, the same at every start', () => {
    write(`k1 ${keyText(1)}\n`);
    const keyring = loadKeyring({ path });
    const purposes = [
      'record',
      'marker',
      'audit',
      'meta',
      'anchor',
      'recovery',
      'throttle',
      'config',
    ] as const;
    const keys = purposes.map((purpose) => keyring.key(purpose, 'k1').export().toString('hex'));
    assert.equal(new Set(keys).size, purposes.length);
    const again = loadKeyring({ path });
    assert.deepEqual(
      purposes.map((purpose) => again.key(purpose, 'k1').export().toString('hex')),
      keys,
    );
  });

  it('hashes under salt and purpose, and joins salt and text unambiguously', () => {
    write(`k1 ${keyText(1)}\nk0 ${keyText(2)}\n`);
    const keyring = loadKeyring({ path });
    const recovery = keyring.keyedHash('recovery');
    assert.equal(recovery.keyId, 'k1');
    const hash = (salt: Buffer, text: string) => recovery.of('k1', salt, text);
    assert.equal(hash(Buffer.from('s'), 'text').length, 32);
    assert.deepEqual(hash(Buffer.from('s'), 'text'), hash(Buffer.from('s'), 'text'));
    assert.notDeepEqual(hash(Buffer.from('s'), 'text'), hash(Buffer.from('st'), 'ext'));
    assert.notDeepEqual(
      hash(Buffer.from('s'), 'text'),
      keyring.keyedHash('throttle').of('k1', Buffer.from('s'), 'text'),
    );
    assert.notDeepEqual(hash(Buffer.from('s'), 'text'), recovery.of('k0', Buffer.from('s'), 'text'));
    assert.throws(() => recovery.of('k9', Buffer.from('s'), 'text'), { code: 'store-key' });
  });

  it('comes from the credentials of the service if there is one, whatever its mode', () => {
    write(`file ${keyText(1)}\n`);
    const credentials = join(directory, 'credentials');
    mkdirSync(credentials);
    assert.equal(loadKeyring({ path, credentials }).current, 'file');
    writeFileSync(join(credentials, 'master.key'), `service ${keyText(2)}\n`);
    chmodSync(join(credentials, 'master.key'), 0o444);
    assert.equal(loadKeyring({ path, credentials }).current, 'service');
  });
});
