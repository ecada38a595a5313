import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { must, run } from '../support/rig/commands.ts';
import { inNamespace } from '../support/rig/namespace.ts';
import { PamCommand, said } from '../support/rig/pam-command.ts';
import { addPerson } from '../support/rig/people.ts';
import { authorizeKey } from '../support/rig/ssh.ts';

/**
 * Which accounts a change of sshd would lock out: determined from sshd itself and the stack, before anything is
 * written.
 */
const match = '/etc/ssh/sshd_config.d/50-match.conf';
const early = '/etc/ssh/sshd_config.d/00-a.conf';

await inNamespace(import.meta.filename, async () => {
  const pam = await PamCommand.prepare();
  const { before, product } = pam;
  for (const name of ['alice', 'bob', 'carol']) await pam.add(name);
  const noKey = (name: string) => rmSync(`${pam.person(name).home}/.ssh`, { recursive: true, force: true });
  const dryRun = (how: string, who = 'bob') => pam.run(who, 'enable', 'sshd', '--with', how, '--dry-run');
  const lostBy = (text: string) =>
    [...text.matchAll(/these accounts could no longer log in through sshd: ([^;]*);/g)].flatMap(
      ([, names = '']) => names.split(', '),
    );

  pam.change('a Match block without prompts: its account is named, also in a dry run', async () => {
    writeFileSync(match, 'Match User alice\nKbdInteractiveAuthentication no\n');
    for (const options of [['--dry-run'], ['--yes']]) {
      const done = await pam.run('bob', 'enable', 'sshd', '--with', 'password', ...options);
      assert.equal(done.status, 0, said(done));
      assert.deepEqual(lostBy(done.stderr), ['alice'], said(done));
      assert.match(done.stderr, /no method that can ask for a code.*sshd -T -C user=NAME/s);
    }
    await pam.must('bob', 'disable', 'sshd', '--yes', '--reload');
    rmSync(match);
  });

  pam.change(
    'a Match block that accepts only a key: its account would bypass the second factor',
    async () => {
      writeFileSync(match, 'Match User alice\nAuthenticationMethods publickey\n');
      const done = await dryRun('key');
      assert.match(done.stderr, /these accounts would bypass the second factor: alice;/, said(done));
      rmSync(match);
    },
  );

  pam.change('the dry run fails if the run would', async () => {
    const cases: readonly (readonly [string, string, RegExp])[] = [
      [early, 'UsePAM no\n', /sshd would use UsePAM no instead of yes, set in .*00-a\.conf:1/],
      [early, 'AuthenticationMethods publickey\n', /sshd would use AuthenticationMethods publickey/],
      [
        match,
        'Match User bob\nAuthenticationMethods publickey\n',
        /for bob sshd would use AuthenticationMethods publickey/,
      ],
      [
        match,
        'Match User bob\nKbdInteractiveAuthentication no\n',
        /for bob sshd would use KbdInteractiveAuthentication no/,
      ],
      [early, 'NoSuchKeyword yes\n', /configuration of sshd is invalid/],
    ];
    for (const [file, text, why] of cases) {
      writeFileSync(file, text);
      const there = pam.files();
      for (const options of [['--dry-run'], ['--yes']]) {
        const refused = await pam.run('bob', 'enable', 'sshd', '--with', 'password', ...options);
        assert.equal(refused.status, 1, `${text}${said(refused)}`);
        assert.match(refused.stderr, why, said(refused));
        assert.deepEqual(pam.files(), there);
      }
      rmSync(file);
    }
    // An Include that comes too late, and a missing one.
    const main = readFileSync('/etc/ssh/sshd_config', 'utf8');
    for (const text of [`UsePAM no\n${main}`, main.replace(/^Include .*$/m, '')]) {
      writeFileSync('/etc/ssh/sshd_config', text);
      const refused = await dryRun('password');
      assert.equal(refused.status, 1, said(refused));
      assert.match(refused.stderr, /at the top of sshd_config/);
    }
    writeFileSync('/etc/ssh/sshd_config', main);
  });

  pam.change(
    'accounts without a key are named; an administrator whom sshd refuses anyway is not',
    async () => {
      noKey('alice');
      noKey('carol');
      assert.deepEqual(lostBy((await dryRun('key')).stderr), ['alice', 'carol']);
      for (const [rule, lost] of [
        ['DenyUsers carol', ['alice']],
        ['AllowUsers bob c*', ['carol']],
        ['AllowUsers bob@192.0.2.* alice@198.51.100.9', []],
        ['AllowGroups bob alice', ['alice']],
        ['DenyGroups alice', ['carol']],
      ] as const) {
        writeFileSync(match, `${rule}\n`);
        const done = await dryRun('key');
        assert.deepEqual(lostBy(done.stderr), lost, `${rule}\n${said(done)}`);
      }
      rmSync(match);
    },
  );

  pam.change('a service account that logs in with a key is named too', async () => {
    const git = addPerson('git', 998);
    authorizeKey(git);
    const shadow = readFileSync('/etc/shadow', 'latin1').replace(/^git:[^:]*:/m, 'git:!:');
    writeFileSync('/etc/shadow', shadow, 'latin1');
    assert.deepEqual(
      lostBy((await dryRun('password')).stderr).filter((name) => name === 'git'),
      ['git'],
    );
    rmSync(`${git.home}/.ssh`, { recursive: true });
    assert.ok(!lostBy((await dryRun('password')).stderr).includes('git'));
  });

  pam.change('keys are read from the files that sshd uses', async () => {
    mkdirSync('/etc/ssh/keys');
    writeFileSync('/etc/ssh/keys/alice', 'ssh-ed25519 AAAA\n');
    writeFileSync(match, 'AuthorizedKeysFile /etc/ssh/keys/%u .ssh/authorized_keys\n');
    assert.deepEqual(lostBy((await dryRun('key')).stderr), ['carol']);
    // As root it would wait forever.
    must('mkfifo', ['/etc/ssh/keys/carol']);
    assert.deepEqual(lostBy((await dryRun('key')).stderr), ['carol']);
    writeFileSync('/usr/lib/keys-of', '', { flag: 'a' });
    rmSync('/usr/lib/keys-of');
    writeFileSync(
      '/etc/ssh/keys-of',
      '#!/bin/sh\n[ "$1" = carol ] && [ "$(id -un)" = nobody ] && echo ssh-ed25519 AAAA\nexit 0\n',
      { mode: 0o755 },
    );
    writeFileSync(match, 'AuthorizedKeysCommand /etc/ssh/keys-of %u\nAuthorizedKeysCommandUser nobody\n');
    assert.deepEqual(lostBy((await dryRun('key')).stderr), ['alice']);
    rmSync(match);
    rmSync('/etc/ssh/keys', { recursive: true });
  });

  pam.change(
    'from a root shell, where no account has a key: reported, and refused unless confirmed',
    async () => {
      noKey('bob');
      for (const options of [['--dry-run'], ['--try', '1h']]) {
        const refused = await pam.run('root', 'enable', 'sshd', '--with', 'key', ...options);
        assert.equal(refused.status, 1, said(refused));
        assert.deepEqual(lostBy(refused.stderr).toSorted(), ['alice', 'bob', 'carol'], said(refused));
        assert.match(
          refused.stderr,
          /every account that can log in through sshd now would be locked out; if this is intended, use --yes/,
        );
      }
      assert.deepEqual(pam.files(), before);
      // "yes" at the terminal is not enough here.
      const done = await pam.must('root', 'enable', 'sshd', '--with', 'key', '--try', '1h', '--yes');
      assert.deepEqual(lostBy(done.stderr).toSorted(), ['alice', 'bob', 'carol']);
      await pam.must('root', 'revert');
    },
  );

  pam.change('a key of root is a way to log in that a stack with a code closes', async () => {
    mkdirSync('/home/root/.ssh', { mode: 0o700, recursive: true });
    writeFileSync('/home/root/.ssh/authorized_keys', 'ssh-ed25519 AAAA\n');
    const { status } = await run('/usr/sbin/sshd', ['-t']);
    assert.equal(status, 0);
    const done = await dryRun('password');
    assert.match(
      done.stderr,
      /could no longer log in through sshd: root; PermitRootLogin lets root answer no prompt/,
      said(done),
    );
    writeFileSync(match, 'PermitRootLogin no\n');
    assert.deepEqual(lostBy((await dryRun('password')).stderr), []);
    rmSync(match);
    await product.must(['status']);
  });
});
