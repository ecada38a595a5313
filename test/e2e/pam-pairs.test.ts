import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { decodeBase32 } from '../../daemon/factors/encodings/base32.ts';
import { totp } from '../support/codes.ts';
import { run, until } from '../support/rig/commands.ts';
import { inNamespace } from '../support/rig/namespace.ts';
import { PamCommand, records, typed } from '../support/rig/pam-command.ts';
import { password } from '../support/rig/people.ts';
import { ssh } from '../support/rig/ssh.ts';
import { Terminal } from '../support/rig/terminal.ts';

/** Trials of sshd combined with other features of a roll-out, each once with a real sshd. */
const realms = `
[[realm]]
name = "watched"
members = { users = ["olga"] }
require = "any"
observe = true

[[realm]]
name = "joins"
members = { users = ["judy"] }
require = "totp"
enrol = "at-login"

[[realm]]
name = "late"
members = { users = ["greg"] }
require = "any"
enrol = "grace"
grace = "7d"

[[realm]]
name = "near"
members = { users = ["rita"] }
require = "any"

  [[realm.rule]]
  services = ["sshd"]
  from = ["127.0.0.0/8"]
  action = "skip"

[[realm]]
name = "staff"
members = { uids = ["3000-3999"] }
require = "any"

[[realm]]
name = "rest"
require = "none"
`;
const port = 2240;

await inNamespace(import.meta.filename, async () => {
  const pam = await PamCommand.prepare(realms);
  const { product, before } = pam;
  await pam.add('alice');
  for (const name of ['olga', 'judy', 'greg', 'rita', 'eve']) await pam.add(name, false);
  const confirm = [process.execPath, ...product.command(['pam', 'confirm'])].join(' ');
  const onTrial = ['enable', 'sshd', '--with', 'password', '--try', '1h', '--yes', '--reload'] as const;
  const shell = ['exec', 'bash', '--norc'];

  /** A new login, up to the prompt after the password. */
  const connect = async (name: string): Promise<Terminal> => {
    const options = ['RequestTTY=force', 'PreferredAuthentications=keyboard-interactive'];
    const terminal = new Terminal(ssh(name, { port, options }, shell));
    await terminal.answer(/Password: /, password);
    return terminal;
  };
  const confirms = async (terminal: Terminal, name: string, answer: RegExp): Promise<void> => {
    await terminal.expect(/\$ /);
    terminal.send(`sudo -k ${confirm}; echo "status-$?"\r`);
    await typed(terminal, new RegExp(`password for ${name}: `), password);
    await terminal.expect(answer);
    await terminal.expect(/status-\d/);
    await terminal.hangUp();
  };
  const isConfirmed = async (terminal: Terminal, name: string): Promise<void> => {
    await confirms(terminal, name, /sshd: confirmed/);
    assert.equal(existsSync(`${records}/try`), false);
    await until('no watcher is left', () => pam.watchers().length === 0);
  };
  /** sshd has read its configuration again, and accepts connections. */
  const asksPam = (name: string) =>
    until('sshd asks for more than the key', async () => {
      const batch = ssh(name, { port, key: true, options: ['BatchMode=yes'] }, ['true']);
      return (await run('timeout', ['20', ...batch])).stderr.includes(
        'Permission denied (keyboard-interactive)',
      );
    });
  const outcome = async (name: string) => (await product.events(name)).at(-1)?.outcome;

  for (const [name, what] of [
    ['olga', 'observed'],
    ['greg', 'not-needed'],
    ['rita', 'not-needed'],
  ] as const)
    pam.change(`a login of ${name}, with outcome ${what}, confirms`, async () => {
      await pam.must('alice', ...onTrial);
      await asksPam(name);
      const terminal = await connect(name);
      await terminal.expect(/\$ /);
      assert.equal(await outcome(name), what);
      terminal.send('\r');
      await isConfirmed(terminal, name);
    });

  pam.change('a login of an exempt account confirms', async () => {
    await product.must(['user', 'exempt', 'eve', '--for', '2h', '--reason', 'new phone']);
    await pam.must('alice', ...onTrial);
    await asksPam('eve');
    await isConfirmed(await connect('eve'), 'eve');
    await product.must(['user', 'exempt', 'eve', '--clear']);
  });

  pam.change('a first factor added during the login confirms', async () => {
    await pam.must('alice', ...onTrial);
    await asksPam('judy');
    const terminal = await connect('judy');
    const [, secret = ''] = await terminal.expect(/Type in: ([A-Z2-7 ]+)/);
    await terminal.answer(/code: /, totp(decodeBase32(secret)));
    await terminal.answer(/Type "yes"/, 'yes');
    await isConfirmed(terminal, 'judy');
  });

  pam.change('neither a refused login nor one of another account confirms', async () => {
    const old = pam.keyLogin('alice', shell, ['RequestTTY=force']);
    await old.expect(/\$ /);
    await pam.must('alice', ...onTrial);
    await asksPam('alice');
    const refused = await connect('alice');
    await refused.answer(/code: /, '000000');
    await refused.expect(/Incorrect code/);
    await refused.hangUp();
    const other = await connect('olga');
    await other.expect(/\$ /);
    old.send('\r');
    await confirms(old, 'alice', /older than the change/);
    assert.ok(existsSync(`${records}/try`));
    await pam.must('alice', 'revert');
    assert.deepEqual(pam.files(), before);
  });

  pam.change(
    'from key to password: a trial goes back to the key, and disabling goes back to the original',
    async () => {
      const withPassword = ['enable', 'sshd', '--with', 'password', '--yes', '--reload'] as const;
      const ids = async () => {
        const { findings } = JSON.parse((await product.cli(['doctor', '--json'])).stdout) as {
          findings: { id?: string }[];
        };
        return findings.flatMap(({ id }) => (id?.startsWith('sshd.key') ? [id] : []));
      };
      const fails = async (name: string, why: string) => {
        await until(`sshd says ${why}`, async () => {
          const batch = ssh(name, { port, key: why.includes('keyboard'), options: ['BatchMode=yes'] }, [
            'true',
          ]);
          return (await run('timeout', ['20', ...batch])).stderr.includes(`Permission denied (${why})`);
        });
      };
      const byKey = async () => {
        await fails('alice', 'publickey');
        const terminal = pam.keyLogin('alice', shell, ['RequestTTY=force']);
        await terminal.answer(/code: /, pam.code('alice'));
        await terminal.expect(/\$ /);
        assert.doesNotMatch(terminal.transcript, /Password/);
        return terminal;
      };
      await pam.must('alice', 'enable', 'sshd', '--with', 'key', '--yes', '--reload');
      const withKey = pam.files();
      await (await byKey()).hangUp();

      const tried = await pam.must('alice', ...withPassword, '--try', '1h');
      assert.match(tried.stderr, /Replaces sallyport-sshd-key with sallyport-sshd/);
      await fails('alice', 'keyboard-interactive');
      const terminal = await connect('alice');
      await terminal.answer(/code: /, pam.code('alice'));
      await terminal.expect(/\$ /);
      await terminal.hangUp();
      assert.deepEqual(await ids(), []);
      await pam.must('alice', 'revert');
      assert.deepEqual(pam.files(), withKey);
      await (await byKey()).hangUp();

      await pam.must('alice', ...withPassword);
      await fails('alice', 'keyboard-interactive');
      const second = await connect('alice');
      await second.answer(/code: /, pam.code('alice'));
      await second.expect(/\$ /);
      await second.hangUp();
      // Left by older releases: the drop-in of the other method beside and before ours.
      writeFileSync(
        '/etc/ssh/sshd_config.d/00-sallyport-key-code.conf',
        withKey['/etc/ssh/sshd_config.d/00-sallyport-key-code.conf'] ?? '',
      );
      assert.deepEqual(await ids(), ['sshd.key-and-password']);
      await pam.must('alice', ...withPassword);
      assert.deepEqual(await ids(), []);
      await pam.must('alice', 'disable', 'sshd', '--yes', '--reload');
      assert.deepEqual(pam.files(), before);
    },
  );

  pam.change('a crash at any step of a change of method leaves the first method, or the second', async () => {
    const enable = (how: string) => ['enable', 'sshd', '--with', how, '--yes'] as const;
    await pam.must('alice', ...enable('password'));
    const second = JSON.stringify(pam.files());
    await pam.must('alice', ...enable('key'));
    const first = JSON.stringify(pam.files());
    const ends = new Set<string>();
    let isOver = false;
    for (let step = 1; !isOver; step += 1) {
      assert.ok(step < 15, 'it is never killed');
      const traced = ['-f', '-qq', '-o', '/dev/null', '-e', 'trace=rename,unlink'];
      const killed = ['-e', `inject=rename,unlink:signal=KILL:when=${step}`];
      const { status } = await run(
        'strace',
        [...traced, ...killed, ...pam.command('alice', ...enable('password'))],
        {
          timeout: 90_000,
        },
      );
      isOver = status === 0;
      await pam.isBack();
      const now = JSON.stringify(pam.files());
      ends.add(now === first ? 'first' : now === second ? 'second' : `step ${step}`);
      await pam.must('alice', ...enable('key'));
      assert.equal(JSON.stringify(pam.files()), first);
    }
    assert.deepEqual([...ends].sort(), ['first', 'second']);
  });
});
