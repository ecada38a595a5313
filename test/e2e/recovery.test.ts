import assert from 'node:assert/strict';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { hotp, newSecret, totp } from '../support/codes.ts';
import { type Finished, run, until } from '../support/rig/commands.ts';
import { repository } from '../support/rig/layout.ts';
import { Own } from '../support/sandbox.ts';

/**
 * docs/how-to/recover-access.md, command by command: the blocks are read from the page, so that page and test cannot
 * differ. Its paths are mapped to a directory; prompts are answered from standard input.
 */
const page = readFileSync(join(repository, 'docs/how-to/recover-access.md'), 'utf8');

/** The command blocks below a heading, in order. */
function blocks(heading: string): readonly (readonly string[])[] {
  const section = page.split(/^## /m).find((part) => part.startsWith(`${heading}\n`));
  assert.ok(section !== undefined, `the page has no "${heading}"`);
  return [...section.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, text = '']) => text.trim().split('\n'));
}

let user = 'mail';
const passphrase = 'correct horse battery\n';
const phone = newSecret();
const token = newSecret();
let keys: readonly string[] = [];
let own: Own;
const tried = new Set<string>();

/** One line of the page. */
async function line(command: string): Promise<Finished> {
  tried.add(command);
  const words = command
    .replaceAll('USER', user)
    .replaceAll('/root/', `${own.root}/`)
    .replaceAll('/var/lib/sallyport', join(own.root, 'var'))
    .split(' ');
  const done = { status: 0, stdout: '', stderr: '' } as Finished;
  switch (`${words[0]} ${words[1]}`) {
    case 'systemctl stop':
      await own.stop();
      return done;
    case 'systemctl start':
    case 'timedatectl set-ntp':
      await own.start();
      return done;
    // The message of the daemon itself is checked by the test of its start.
    case 'journalctl -u':
      return done;
    default:
      if (words[0] !== 'sallyport') return run(words[0] ?? '', words.slice(1));
      return own.cli(words.slice(1), passphrase);
  }
}

/** All commands of a block. @param status the exit status expected of each, if not 0 */
async function follow(block: readonly string[] | undefined, status: Readonly<Record<string, number>> = {}) {
  assert.ok(block !== undefined && block.length > 0);
  const outputs: string[] = [];
  for (const command of block) {
    const done = await line(command);
    assert.equal(done.status, status[command] ?? 0, `${command}: ${done.stdout}${done.stderr}`);
    outputs.push(done.stdout + done.stderr);
  }
  return outputs;
}

const newKeys = (output: string): readonly string[] =>
  output.split('\n').filter((text) => /^[a-z0-9]{5}-/.test(text));

before(async () => {
  own = await Own.init();
  await own.start();
  await own.addToken('totp', user, phone);
  await own.addToken('hotp', user, token);
  keys = await own.addRecovery(user);
});
after(() => own.remove());

test('before anything happens', async () => {
  const outputs = await follow(blocks('Prepare')[0]);
  assert.equal(newKeys(outputs[0] ?? '').length, 10);
  assert.match(outputs[2] ?? '', /is complete/);
  cpSync(join(own.root, 'sallyport.age'), join(own.root, 'kept.age'));
});

describe('a phone or a key is lost', () => {
  test('the factor is disabled, and new recovery keys work', async () => {
    const outputs = await follow(blocks('Replace a lost phone or key')[0]);
    assert.notEqual(await own.verify(user, totp(phone)), 'accepted');
    keys = newKeys(outputs[2] ?? '');
    assert.equal(await own.verify(user, keys[0] ?? ''), 'accepted');
    await own.must(['factor', 'enable', user, 'totp']);
  });

  test('a lockout is cleared', async () => {
    for (let wrong = 0; wrong < 8; wrong += 1) await own.verify(user, '000000');
    assert.equal(await own.verify(user, hotp(token, 0)), 'codes-locked');
    await follow(blocks('Replace a lost phone or key')[1]);
    assert.equal(await own.verify(user, hotp(token, 0)), 'accepted');
  });
});

describe('all accounts are locked out', () => {
  test('with sallyportd stopped, on the store itself', async () => {
    for (let wrong = 0; wrong < 8; wrong += 1) await own.verify(user, '000000');
    const outputs = await follow(blocks('Get in when all accounts are locked out')[0]);
    assert.match(outputs[2] ?? '', /totp/);
    keys = newKeys(outputs[3] ?? '');
    assert.equal(await own.verify(user, hotp(token, 1)), 'accepted', 'unlocked');
    assert.equal(await own.verify(user, keys[0] ?? ''), 'accepted');
    assert.match(await own.must(['audit']), /unlocked\tdone\tby-admin.*uid:\d+ offline/);
    const refused = await own.cli(['user', 'unlock', user, '--offline']);
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /sallyportd is running/);
  });

  test('through the configuration', async () => {
    const good = readFileSync(own.config, 'utf8');
    writeFileSync(own.config, `${good}\n  [[realm.rule]]\n  action = "refuse"\n`);
    await own.must(['reload']);
    const shut = JSON.parse(await own.must(['explain', user, '--service', 'sshd', '--json']));
    assert.equal(shut.decision, 'refused');
    writeFileSync(own.config, good);
    const outputs = await follow(blocks('Get in when all accounts are locked out')[1]);
    assert.match(outputs[2] ?? '', /is asked for/);
  });
});

test('sallyportd does not start, and says why', async () => {
  await own.stop();
  const anchor = join(own.root, 'var/anchor');
  cpSync(anchor, `${anchor}.kept`);
  rmSync(anchor);
  const outputs = await follow(blocks('Start sallyportd again')[0], { 'sallyport store check': 1 });
  assert.match(outputs[1] ?? '', /anchor .* is gone/);
  cpSync(`${anchor}.kept`, anchor);
});

describe('the store is damaged', () => {
  const breakLog = (): void => {
    const name = readdirSync(own.store).find((candidate) => candidate.endsWith('.log'));
    truncateSync(join(own.store, name ?? ''), 100);
  };

  test('a restore recovers it, and no used code', async () => {
    await own.start();
    cpSync(join(own.root, 'kept.age'), join(own.root, 'sallyport.age'));
    await own.stop();
    rmSync(join(own.store, 'CURRENT'));
    const outputs = await follow(blocks('Restore or repair the store')[0]);
    assert.match(outputs[2] ?? '', /recovery keys are void/);
    // The exemption and its end are reported here, to the user, in the audit trail, and to observers.
    assert.match(outputs[2] ?? '', /codes of apps are refused until \S+ \(in 6 minutes\)/);
    const client = await own.start();
    const { lock } = await client.user(user);
    const refused = await client.verify(user, { answer: totp(phone) });
    assert.equal(refused.outcome === 'refused' && refused.reason, 'restored');
    assert.match(refused.text ?? '', /was restored .* accepted again in \d minutes/);
    assert.deepEqual(
      (await client.user(user)).lock,
      lock,
      'it counts nowhere, though the HOTP token took it for wrong',
    );
    assert.match(await own.must(['audit']), /verify\trefused\trestored/);
    assert.match(
      await own.must(['explain', user, '--service', 'sshd']),
      /restored: its codes are accepted from/,
    );
    assert.match(await own.must(['user', 'show', user]), /restored: codes are accepted from/);
    assert.match((await own.cli(['doctor'])).stdout, /member\.held/);
    assert.match(outputs[4] ?? '', new RegExp(`^${user}\t`, 'm'));
    for (const key of keys) assert.notEqual(await own.verify(user, key), 'accepted');
    for (const counter of [0, 1]) assert.notEqual(await own.verify(user, hotp(token, counter)), 'accepted');
    await own.must(['user', 'unlock', user]);
  });

  test('a repair saves all readable records', async () => {
    await own.stop();
    breakLog();
    const outputs = await follow(blocks('Restore or repair the store')[1], { 'sallyport store check': 1 });
    assert.match(outputs[2] ?? '', /saved: \d+ account/);
    assert.match(await own.must(['user', 'list']), new RegExp(`^${user}\t`, 'm'));
  });

  test('replaced stores are removed on request', async () => {
    await follow(blocks('Restore or repair the store')[2]);
    assert.deepEqual(
      readdirSync(join(own.root, 'var')).filter((name) => name.includes('.before-')),
      [],
    );
  });
});

describe('the master key', () => {
  test('is lost: a backup that contains it is enough', async () => {
    rmSync(own.keyFile);
    await follow(blocks('Replace a lost master key')[0]);
    assert.ok(existsSync(own.keyFile));
    await own.start();
    assert.match(await own.must(['factor', 'list', user]), /hotp/);
  });

  test('was read by others: it is replaced', async () => {
    const outputs = await follow(blocks('Replace a lost master key')[1]);
    assert.match(outputs[1] ?? '', /present\n.*no record uses it/);
    const [, older = ''] = (outputs[1] ?? '').split('\n').map((text) => text.split('\t')[0]);
    await own.must(['master-key', 'remove', older, '--yes']);
    assert.equal((await own.cli(['store', 'check'])).status, 0);
  });
});

describe('the clock', () => {
  test('is corrected, and factors used ahead of it are enrolled again', async () => {
    user = 'games';
    await own.addToken('totp', user, phone);
    await own.stop();
    const ahead = await own.startAt('+1d');
    const tomorrow = totp(phone, { at: Date.now() + 86_400_000 });
    assert.equal((await ahead.verify(user, { answer: tomorrow })).outcome, 'accepted');
    await own.stop();
    const [first, second] = blocks('Correct a wrong clock');
    await follow(first);
    assert.equal(await own.verify(user, totp(phone)), 'clock');
    const outputs = await follow(second);
    const secret = /secret=([A-Z2-7]+)/.exec(outputs[1] ?? '')?.[1] ?? '';
    const code = await run('oathtool', ['--totp', '-b', secret]);
    assert.equal(await own.verify(user, code.stdout.trim()), 'accepted');
  });
});

test('the disk is full: logins are refused, and recover by themselves', async () => {
  const client = await own.start();
  await own.limitFiles('0');
  await assert.rejects(client.unlock('root'));
  const outputs = await follow(blocks('Make room on a full disk')[0]);
  assert.match(outputs[0] ?? '', /warning: the store is unwritable/);
  await own.limitFiles('unlimited');
  await until('it can be written again', async () => (await client.status()).store.state === 'ok', 60_000);
  await client.unlock('root');
});

test('every command of the page was run', () => {
  const all = [...page.matchAll(/^```sh\n(.*?)^```$/gms)].flatMap(([, text = '']) => text.trim().split('\n'));
  assert.ok(all.length > 30);
  assert.deepEqual(
    all.filter((command) => !tried.has(command)),
    [],
  );
});
