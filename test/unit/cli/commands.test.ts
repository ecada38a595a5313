import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { until } from '../../support/call.ts';
import { runCli, startCli } from '../../support/cli-child.ts';
import { hotp, totp } from '../../support/codes.ts';
import { type ControlRig, startControl } from '../../support/control-rig.ts';
import { otp, programmed } from '../../support/yubikey.ts';
import { fob, grant, paper, phone, seed } from '../control/records.ts';

/** Each command as a real process, in a pipe, against a real control socket. */

let rig: ControlRig;
before(async () => {
  rig = await startControl();
});
after(() => rig.close());

const cli = (words: readonly string[], input?: string) =>
  runCli(['--config', rig.configFile, ...words], input);
const rollOut = (observe: string) => `
[[realm]]
name = "staff"
members = { users = ["alice", "bob"] }
require = ["totp"]
${observe}
[[realm]]
name = "strict"
members = { users = ["carol"] }
require = ["totp"]
[[realm]]
name = "everyone"
require = "none"
`;
const reset = (factors = [phone, fob, paper] as const) =>
  rig.store.put('alice', { factors, grants: [grant], lock: { codes: 0, any: 0 } });

describe('reading', () => {
  before(async () => {
    await reset();
    await rig.store.put('bob', { lock: { codes: 4, any: 4, codesLockedAt: 1_700_000_000_000 } });
  });

  test('status', async () => {
    const [plain, json] = await Promise.all([cli(['status']), cli(['status', '--json'])]);
    assert.equal(plain.status, 0);
    assert.ok(plain.lines.includes('version\t9.9.9'));
    assert.ok(plain.lines.includes('store\tok'));
    assert.ok(plain.lines.includes('relying party\tnone: security keys cannot be added'));
    assert.match(plain.out, /^keys asked by\t.*fido\.sock$/m);
    const { version, store, config, warnings } = JSON.parse(json.out);
    assert.deepEqual([version, store.state, config.realms, warnings], ['9.9.9', 'ok', 2, []]);
  });

  test('status reports problems on standard error', async () => {
    rig.store.findings = ['the record of bob is damaged'];
    const { status, err, lines } = await cli(['status']);
    rig.store.findings = [];
    assert.equal(status, 0);
    assert.match(err, /^sallyport: warning: .*bob is damaged/);
    assert.ok(lines.includes('warnings\t1'));
  });

  test('realm list, realm show', async () => {
    const [list, json, show, one] = await Promise.all([
      cli(['realm', 'list']),
      cli(['realm', 'list', '--json']),
      cli(['realm', 'show', 'staff']),
      cli(['realm', 'show', 'staff', '--json']),
    ]);
    assert.deepEqual(list.lines, [
      'staff\t2\ttotp\trefuse\t1\tuser:alice',
      'everyone\t11\tnone\trefuse\t0\tall other accounts',
    ]);
    assert.deepEqual(
      JSON.parse(json.out).realms.map(({ name }: { name: string }) => name),
      ['staff', 'everyone'],
    );
    assert.ok(show.lines.includes('webauthn\tuser verification discouraged'));
    assert.ok(show.lines.includes('rule\tline 7: skip (services cron, from anywhere)'));
    assert.equal(JSON.parse(one.out).lockout.codes, 4);
  });

  test('user list, user show', async () => {
    const [list, json, show, one] = await Promise.all([
      cli(['user', 'list']),
      cli(['user', 'list', '--json']),
      cli(['user', 'show', 'alice']),
      cli(['user', 'show', 'alice', '--json']),
    ]);
    assert.deepEqual(list.lines, [
      'alice\ttotp,hotp,recovery\t-\t-\tgood\t-\texists',
      'bob\t-\tcodes\t-\tgood\t-\texists',
    ]);
    assert.equal(JSON.parse(json.out).users.length, 2);
    assert.ok(show.lines.includes('realm\tstaff (line 2)'));
    assert.ok(
      show.lines.some((line) => line.startsWith('aaaa\ttotp\tphone\tenabled\t2023-11-14T22:13:20.000Z\t-\t')),
    );
    assert.equal(JSON.parse(one.out).factors.length, 3);
  });

  test('factor list', async () => {
    const [plain, json] = await Promise.all([
      cli(['factor', 'list', 'alice']),
      cli(['factor', 'list', 'alice', '--json']),
    ]);
    assert.deepEqual(
      plain.lines.map((line) => line.split('\t').length),
      [7, 7, 7],
    );
    assert.equal(JSON.parse(json.out).factors[2].left, 2);
    assert.ok(!plain.out.includes(phone.secret) && !json.out.includes(phone.secret));
  });

  test('explain', async () => {
    const words = ['explain', 'alice', '--service', 'sshd', '--from', '10.0.0.1'];
    const [plain, json] = await Promise.all([cli(words), cli([...words, '--json'])]);
    assert.match(plain.out, /decided by\s+.*sallyport\.toml:2/);
    const { decision, realm, line } = JSON.parse(json.out);
    assert.deepEqual([decision, realm, line], ['ask', 'staff', 2]);
  });

  test('a pipe gets no colour, and no text of other users controls the terminal', async () => {
    await rig.store.put('mallory', { lastLogin: { at: 0, service: '\x1b[31msshd\ttab\nline' } });
    const runs = await Promise.all([
      cli(['user', 'list']),
      cli(['user', 'show', 'mallory']),
      cli(['user', 'show', 'mallory', '--json']),
    ]);
    await rig.store.commit({
      accounts: [{ account: 'mallory', version: (await rig.store.account('mallory')).version, write: null }],
      events: [],
    });
    for (const { status, out } of runs) {
      assert.equal(status, 0);
      assert.ok(!out.includes('\x1b'));
    }
    assert.ok(runs[1]?.lines.some((line) => line.includes('\\u{1b}[31msshd\\u{9}tab\\u{a}line')));
  });
});

describe('audit', () => {
  const add = (account: string, at: number) =>
    rig.store.commit({
      accounts: [],
      events: [{ kind: 'login', outcome: 'success', at, account, reason: 'verified', service: 'sshd' }],
    });

  test('oldest first, the last of them, of one account, since a time, as JSON', async () => {
    await add('carol', 1_000);
    await add('carol', Date.now());
    await add('bob', Date.now());
    const [all, last, carol, recent, json] = await Promise.all([
      cli(['audit']),
      cli(['audit', '--limit', '1']),
      cli(['audit', '--user', 'carol']),
      cli(['audit', '--user', 'carol', '--since', '1d']),
      cli(['audit', '--json']),
    ]);
    const places = all.lines.map((line) => Number(line.split('\t')[1]));
    assert.deepEqual(
      places,
      places.toSorted((a, b) => a - b),
    );
    assert.equal(last.lines.length, 1);
    assert.match(last.out, /\tbob\tlogin\tsuccess\tverified\t-\tsshd\t-\t-\t-\n$/);
    assert.equal(carol.lines.length, 2);
    assert.equal(recent.lines.length, 1);
    assert.deepEqual(
      json.lines.map((line) => JSON.parse(line).seq),
      places,
    );
  });

  test('follows, and exits with 4 when the daemon ends', async () => {
    const second = await startControl();
    const child = startCli(['--config', second.configFile, 'audit', '--follow', '--json']);
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    await until('a follower', () => second.store.followers === 1);
    await second.store.commit({
      accounts: [],
      events: [{ kind: 'login', outcome: 'refused', at: 1, account: 'bob', reason: 'wrong' }],
    });
    await until('the event', () => out.includes('\n'));
    assert.equal(JSON.parse(out).account, 'bob');
    await second.close();
    assert.equal(await ended, 4);
  });
});

describe('changing', () => {
  before(() => reset());

  test('rename, disable, enable by name or id', async () => {
    const renamed = await cli(['factor', 'rename', 'alice', 'aaaa', 'tablet']);
    assert.equal(renamed.status, 0);
    assert.equal(renamed.out, '');
    assert.equal((await cli(['factor', 'disable', 'alice', 'TABLET'])).status, 0);
    assert.equal((await rig.store.get('alice'))?.factors[0]?.enabled, false);
    assert.equal((await cli(['factor', 'enable', 'alice', 'tablet'])).status, 0);
    const record = await rig.store.get('alice');
    assert.equal(record?.factors[0]?.enabled, true);
    assert.equal(record?.factors[0]?.name, 'tablet');
  });

  test('remove needs confirmation, and so does disabling the last one', async () => {
    await reset();
    const asked = await cli(['factor', 'remove', 'alice', 'aaaa']);
    assert.equal(asked.status, 2);
    assert.match(asked.err, /--yes/);
    assert.equal((await rig.store.get('alice'))?.factors.length, 3);
    assert.equal((await cli(['factor', 'remove', 'alice', 'bbbb', '--yes'])).status, 0);
    assert.equal((await cli(['factor', 'disable', 'alice', 'cccc'])).status, 0);
    const unasked = await cli(['factor', 'disable', 'alice', 'aaaa']);
    assert.equal(unasked.status, 2);
    assert.match(unasked.err, /no factor left/);
    const last = await cli(['factor', 'disable', 'alice', 'aaaa', '--yes']);
    assert.equal(last.status, 0);
    assert.match(last.err, /warning: .*refused/);
  });

  test('unlock', async () => {
    await rig.store.put('alice', { lock: { codes: 4, any: 4, codesLockedAt: 1 } });
    assert.match((await cli(['user', 'unlock', 'alice'])).err, /is unlocked/);
    assert.match((await cli(['user', 'unlock', 'alice'])).err, /was not locked/);
  });

  test('reload', async () => {
    const done = await cli(['reload']);
    assert.equal(done.status, 0);
    assert.match(done.err, /2 realms/);
  });

  test('reload names the accounts that a realm, formerly in observe mode, refuses', async () => {
    const observing = await startControl({ config: rollOut('observe = true') });
    try {
      await observing.store.put('alice', { factors: [] });
      await observing.store.put('bob', { factors: [phone] });
      const reload = () => runCli(['--config', observing.configFile, 'reload']);
      assert.doesNotMatch((await reload()).err, /warning: alice/);
      observing.setConfig(rollOut(''));
      const asks = await reload();
      assert.equal(asks.status, 0);
      assert.match(asks.err, /warning: alice.*: realm "staff" \(line 2\): .*\n *Impact: .*\n *Fix: /);
      assert.doesNotMatch(
        asks.err,
        /warning: (?!\/).*(?:bob|carol)/,
        'who has a factor, or is in a realm that asked before',
      );
      assert.doesNotMatch((await reload()).err, /warning: alice/, 'once');
    } finally {
      await observing.close();
    }
  });
});

describe('adding', () => {
  const secret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';

  test("factor list without a name shows one's own factors", async () => {
    await rig.store.put(userInfo().username, { factors: [fob] });
    const [own, named] = await Promise.all([
      cli(['factor', 'list']),
      cli(['factor', 'list', userInfo().username]),
    ]);
    assert.equal(own.status, 0, own.err);
    assert.ok(own.out.includes('hotp'));
    assert.equal(own.out, named.out);
  });

  test('an addition that would be refused shows no secret', async () => {
    await rig.store.put('alice', { factors: [phone] });
    for (const kind of ['totp', 'hotp'])
      for (const given of [[], ['--secret', '-']]) {
        const words = ['factor', 'add', kind, 'alice', '--name', phone.name.toUpperCase(), ...given];
        const run = await cli(words, given.length === 0 ? '000000\n' : `${secret}\n000000\n`);
        assert.equal(run.status, 1, run.err);
        assert.match(run.err, /already/);
        assert.equal(run.out, '');
        assert.doesNotMatch(run.err, /Scan this|otpauth/);
      }
    assert.equal((await cli(['factor', 'list', 'alice', '--json'])).out.match(/"kind"/g)?.length, 1);
  });

  /** That confirmed the factor: a step may end between two tests. */
  let used = '';
  test('totp: keys to standard output, messages to standard error, and no QR code in a file', async () => {
    await rig.store.put('alice', { factors: [] });
    const words = [
      'factor',
      'add',
      'totp',
      'alice',
      '--name',
      'pixel-7 authy',
      '--secret',
      '-',
      '--issuer',
      'Host: A',
    ];
    used = totp(seed);
    const run = await cli(words, `gezd gnbv-gy3t qojq gezd gnbv gy3t qojq==\n${used}\n`);
    assert.equal(run.status, 0, run.err);
    assert.deepEqual(run.lines, [
      `otpauth://totp/Host%3A%20A:alice?secret=${secret}&issuer=Host%3A%20A&algorithm=SHA1&digits=6&period=30`,
      secret,
    ]);
    assert.match(run.err, /Enter this secret in an authenticator app for Host: A:alice:/);
    assert.ok(!/[▀▄█]/.test(run.err) && !run.err.includes('\x1b') && !run.err.includes(secret));
    const [factor] = (await rig.store.get('alice'))?.factors ?? [];
    assert.ok(factor?.kind === 'totp');
    assert.equal(factor.name, 'pixel-7 authy');
    assert.equal(factor.secret, seed.toString('base64'));
    assert.notEqual(factor.lastStep, -1, 'the code that proved it is spent');
    assert.ok(!rig.logged.join().includes(secret));
  });

  test('that code is not accepted a second time', async () => {
    const run = await cli(['verify', 'alice'], `${used}\n`);
    assert.equal(run.status, 1);
    assert.deepEqual(run.lines, ['refused replay']);
  });

  test('totp: a secret is generated, the realm’s defaults are used, and --no-verify is only for root', async () => {
    const run = await cli([
      'factor',
      'add',
      'totp',
      'bob',
      '--no-verify',
      '--digits',
      '8',
      '--algorithm',
      'sha256',
    ]);
    assert.equal(run.status, 0, run.err);
    assert.match(run.lines[0] ?? '', /algorithm=SHA256&digits=8&period=30$/);
    assert.match(run.lines[1] ?? '', /^[A-Z2-7]{52}$/, 'as long as the hash');
    assert.equal((await rig.store.get('bob'))?.factors.length, 1);
  });

  test('a URI is accepted with its parameters, whatever the realm says, and none may be given otherwise', async () => {
    await rig.store.put('bob', { factors: [] });
    const add = (kind: 'totp' | 'hotp', uri: string, ...more: readonly string[]) =>
      cli(['factor', 'add', kind, 'bob', '--secret', '-', '--no-verify', ...more], `${uri}\n`);
    const uri = `otpauth://totp/Bank:bob?secret=${secret}&algorithm=SHA256&digits=8&period=60&issuer=Bank`;
    for (const [kind, given, ...more] of [
      ['hotp', uri],
      ['totp', uri, '--digits', '6'],
      ['totp', uri, '--period', '30'],
      ['totp', uri.replace('SHA256', 'MD5')],
      ['totp', uri.replace('period=60', 'period=5')],
      ['totp', uri.replace(secret, 'GEZD!')],
      ['totp', uri.replace('totp/', 'yaotp/')],
    ] as const) {
      const refused = await add(kind, given, ...more);
      assert.equal(refused.status, 2, refused.err);
      assert.ok(!refused.err.includes(secret) && !refused.err.includes('GEZD'), refused.err);
    }
    assert.deepEqual((await rig.store.get('bob'))?.factors, []);
    const run = await add('totp', ` ${uri.replace('otpauth', 'OTPAUTH')}\r`, '--digits', '8');
    assert.equal(run.status, 0, run.err);
    const [factor] = (await rig.store.get('bob'))?.factors ?? [];
    assert.ok(factor?.kind === 'totp');
    assert.deepEqual(
      [factor.secret, factor.digits, factor.algorithm, factor.period],
      [seed.toString('base64'), 8, 'sha256', 60],
    );
    await rig.store.put('bob', { factors: [] });
    const fob = await add('hotp', `otpauth://hotp/bob?secret=${secret}&counter=7`);
    assert.equal(fob.status, 0, fob.err);
    const [added] = (await rig.store.get('bob'))?.factors ?? [];
    assert.ok(added?.kind === 'hotp');
    assert.deepEqual([added.counter, added.digits, added.algorithm], [7, 6, 'sha1']);
  });

  test('a secret in another format is reported, with how to convert it', async () => {
    for (const [given, said] of [
      [seed.toString('hex'), /hex.*basenc --base16 -d \| base32/],
      [`0x${seed.toString('hex')}`, /hex/],
      ['otpauth-migration://offline?data=CjEKCkhlbGxvId6tvu8%3D', /Google Authenticator.*otpauth:\/\//],
      [`otpauth://steam/x?secret=${secret}`, /Steam/],
      [`otpauth://totp/x?secret=${secret}&encoder=steam`, /Steam/],
      [`steam://${secret}`, /Steam/],
    ] as const) {
      const run = await cli(
        ['factor', 'add', 'totp', 'portal', '--secret', '-', '--no-verify'],
        `${given}\n`,
      );
      assert.equal(run.status, 2, run.err);
      assert.match(run.err, said);
      assert.ok(!run.err.includes(seed.toString('hex')) && !run.err.includes(secret));
    }
  });

  test('a secret on the command line is accepted, with a warning', async () => {
    const given = ['factor', 'add', 'hotp', 'carol', '--secret', secret, '--counter', '7'];
    const run = await cli(given, `${hotp(seed, 7)}\n`);
    assert.equal(run.status, 0, run.err);
    assert.match(run.err, /warning: .*visible to every user/);
    assert.match(run.lines[0] ?? '', /^otpauth:\/\/hotp\/.*&counter=7$/);
    const [factor] = (await rig.store.get('carol'))?.factors ?? [];
    assert.ok(factor?.kind === 'hotp');
    assert.equal(factor.counter, 8);
  });

  test('a wrong code adds nothing', async () => {
    await rig.store.put('portal', { factors: [] });
    const run = await cli(['factor', 'add', 'hotp', 'portal', '--secret', '-'], `${secret}\n000000\n`);
    assert.equal(run.status, 1);
    assert.match(run.err, /sallyport: .*code/);
    assert.deepEqual((await rig.store.get('portal'))?.factors, []);
  });

  test('without a code, or without a secret, it says how to pass it', async () => {
    const [code, noSecret, bad, short] = await Promise.all([
      cli(['factor', 'add', 'totp', 'portal']),
      cli(['factor', 'add', 'totp', 'portal', '--secret', '-']),
      cli(['factor', 'add', 'totp', 'portal', '--secret', '-'], 'GEZDGNBV0\n'),
      cli(['factor', 'add', 'totp', 'portal', '--secret', '-', '--no-verify'], 'GEZDGNBV\n'),
    ]);
    assert.deepEqual([code.status, noSecret.status, bad.status, short.status], [2, 2, 2, 2]);
    assert.match(code.err, /no code on standard input/);
    assert.match(noSecret.err, /no secret on standard input/);
    assert.ok(!bad.err.includes('GEZDGNBV0'));
  });

  test('yubikey: one touch enrols it; its AES key is read from standard input', async () => {
    await rig.store.put('portal', { factors: [] });
    const { publicId, privateId, aesKey } = programmed;
    const hex = { private: privateId.toString('hex'), aes: aesKey.toString('hex') };
    const words = ['factor', 'add', 'yubikey', 'portal', '--local', '--public-id', publicId.toUpperCase()];
    const given = [...words, '--private-id', hex.private, '--aes-key'];
    const run = await cli([...given, '-'], `${hex.aes}\n${otp({ use: 1, session: 1 })}\n`);
    assert.equal(run.status, 0, run.err);
    assert.match(
      run.err,
      /portal has a new factor: yubikey "YubiKey" \([0-9a-f]+\), vvcccccccclb, validated here/,
    );
    assert.ok(!run.err.includes('warning') && !`${run.err}${run.out}`.includes(hex.aes));
    const [factor] = (await rig.store.get('portal'))?.factors ?? [];
    assert.ok(factor?.kind === 'yubikey' && factor.validation === 'local' && factor.lastPress === 257);
    const again = await cli(['verify', 'portal'], `${otp({ use: 1, session: 1 })}\n`);
    assert.equal(again.status, 1);
    const [short, shown, id] = await Promise.all([
      cli([...given, '-'], 'abcdef\n'),
      cli([...given, `${hex.aes}00`]),
      cli([
        'factor',
        'add',
        'yubikey',
        'portal',
        '--local',
        '--public-id',
        'abc',
        '--private-id',
        hex.private,
        '--aes-key',
        '-',
      ]),
    ]);
    assert.deepEqual([short.status, shown.status, id.status], [2, 2, 2]);
    assert.match(short.err, /the AES key has 32 hex digits/);
    assert.match(shown.err, /warning: .*visible to every user/);
    assert.ok(!shown.err.includes(hex.aes));
    assert.match(id.err, /modhex/);
  });

  test('yubikey: without --local one touch is enough, and the servers validate it', async () => {
    await rig.store.put('portal', { factors: [] });
    const wrong = await cli(['factor', 'add', 'yubikey', 'portal'], `${otp({ use: 9, session: 9 })}\n`);
    assert.equal(wrong.status, 1, wrong.err);
    assert.match(wrong.err, /servers/);
    assert.deepEqual((await rig.store.get('portal'))?.factors, []);
  });

  test('recovery: ten keys, one a line; replacing a set needs confirmation', async () => {
    const first = await cli(['factor', 'add', 'recovery', 'alice']);
    assert.equal(first.status, 0, first.err);
    assert.equal(first.lines.length, 10);
    assert.equal(new Set(first.lines).size, 10);
    assert.equal((await cli(['factor', 'add', 'recovery', 'alice'])).status, 2);
    const second = await cli(['factor', 'add', 'recovery', 'alice', '--yes']);
    assert.match(second.err, /no longer valid/);
    assert.equal((await cli(['verify', 'alice'], `${first.lines[0]}\n`)).status, 1);
    const used = await cli(['verify', 'alice'], `${second.lines[0]?.toUpperCase()}\n`);
    assert.match(used.out, /^accepted recovery /);
    assert.equal((await cli(['verify', 'alice'], `${second.lines[0]}\n`)).status, 1);
  });

  test('verify resynchronises an HOTP device with two consecutive codes', async () => {
    const far = 500;
    const run = await cli(['verify', 'carol'], `${hotp(seed, far)}\n${hotp(seed, far + 1)}\n`);
    assert.equal(run.status, 0, run.err);
    const [factor] = (await rig.store.get('carol'))?.factors ?? [];
    assert.ok(factor?.kind === 'hotp');
    assert.equal(factor.counter, far + 2);
  });

  test('a piped secret is on no command line and in no environment', async () => {
    const { readFileSync, readdirSync } = await import('node:fs');
    const child = startCli(['--config', rig.configFile, 'factor', 'add', 'totp', 'alice', '--secret', '-']);
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    const ended = new Promise((resolve) => child.once('close', resolve));
    child.stdin.write(`${'JBSWY3DPEHPK3PXP'}\n`);
    await until('the keys', () => out.includes('\n'));
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name)))
      for (const file of ['cmdline', 'environ']) {
        let text = '';
        try {
          text = readFileSync(join('/proc', pid, file), 'utf8');
        } catch {
          // It has ended meanwhile, or is not readable for us.
        }
        assert.ok(!text.includes('JBSWY3DPEHPK3PXP'), `${file} of ${pid}`);
      }
    child.stdin.end();
    await ended;
  });
});

describe('without the daemon', () => {
  test('realm check prints what sallyportd finds, with its exit status', async () => {
    const bad = join(rig.directory, 'bad.toml');
    writeFileSync(bad, '[[realm]]\nname = "x"\nrequire = "sometimes"\n');
    const [good, wrong, given] = await Promise.all([
      cli(['realm', 'check']),
      cli(['realm', 'check', bad]),
      runCli(['--config', bad, 'realm', 'check']),
    ]);
    assert.equal(good.status, 0, good.err);
    assert.equal(good.out, `${rig.configFile}: valid, 2 realms, 3 warnings\n`);
    assert.match(good.err, /names the account alice, which does not exist/);
    assert.deepEqual([wrong.status, given.status, wrong.out], [78, 78, '']);
    assert.match(wrong.err, /bad\.toml.*3.*require/s);
  });

  test('realm check reports a valid file that would refuse logins in the same line', async () => {
    const lost = join(rig.directory, 'lost.toml');
    const rest = '[[realm]]\nname = "rest"\nrequire = "none"\n';
    const staff = '[[realm]]\nname = "x"\nmembers = { groups = ["no-such-group"] }\nrequire = "any"\n';
    writeFileSync(lost, `${staff}${rest}`);
    const { status, out, err } = await cli(['realm', 'check', lost]);
    assert.equal(status, 0);
    assert.match(err, /every login .* is refused/);
    assert.match(out, /: valid, 2 realms, 1 warning: it would refuse logins\n$/);
    writeFileSync(lost, rest);
    const valid = await cli(['realm', 'check', lost]);
    assert.deepEqual([valid.out, valid.err], [`${lost}: valid, 1 realm\n`, '']);
  });

  test('init places everything below one directory and names the next step', async () => {
    const root = join(rig.directory, 'new');
    const run = await runCli(['init', '--root', root]);
    assert.equal(run.status, 0, run.err);
    assert.ok(existsSync(join(root, 'etc/sallyport.toml')));
    assert.ok(existsSync(join(root, 'etc/master.key')));
    assert.match(run.err, /realm check/);
  });
});
