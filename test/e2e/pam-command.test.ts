import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { type Finished, must, run } from '../support/rig/commands.ts';
import { inNamespace } from '../support/rig/namespace.ts';
import { PamCommand, said } from '../support/rig/pam-command.ts';
import { append } from '../support/rig/pam-machine.ts';
import { as, password } from '../support/rig/people.ts';
import { Terminal } from '../support/rig/terminal.ts';

/** sallyport pam show, enable and disable; trials are tested in pam-trial.test.ts. */
const sudoFile = '/etc/pam.d/sudo';

await inNamespace(import.meta.filename, async () => {
  const pam = await PamCommand.prepare();
  const { product, before } = pam;
  await pam.add('alice');

  pam.change('sudo asks for the code, and is unchanged once it is disabled again', async () => {
    const done = await pam.must('alice', 'enable', 'sudo', '--yes');
    assert.match(done.stdout, /^-@include common-auth\n\+@include sallyport-sudo$/m);
    const terminal = await pam.sudo('alice', 'id', '-un');
    await terminal.expect(/root/);
    const shown = (await product.json(['pam', 'show'])) as {
      services: { service: string; module?: string }[];
    };
    assert.deepEqual(
      shown.services.flatMap(({ service, module }) => (module === undefined ? [] : [[service, module]])),
      ['sudo', 'sudo-i'].map((one) => [one, '/etc/pam.d/sallyport-sudo:19']),
    );
    assert.match((await pam.must('alice', 'enable', 'sudo', '--yes')).stdout, /already protected/);
  });

  pam.change('su also affects su-l, which is reported and works', async () => {
    const done = await pam.must('alice', 'enable', 'su', '--yes');
    assert.match(done.stderr, /Also changes: su-l/);
    await pam.add('bob');
    for (const options of [[], ['-']]) {
      const su = ['su', ...options, 'bob', '-c', 'echo "in-$(id -un)"'];
      const terminal = new Terminal([...as(pam.person('alice')), ...su]);
      await terminal.answer(/Password: /, password);
      await terminal.answer(/code: /, pam.code('bob'));
      await terminal.expect(/in-bob/);
    }
    assert.match((await pam.must('alice', 'enable', 'su-l', '--yes')).stdout, /already protected/);
    const shown = await pam.must('alice', 'show', 'su-l');
    assert.match(
      shown.stdout,
      /^>>\tauth requisite pam_sallyport\.so first_factor=passed\t\/etc\/pam\.d\/sallyport-su:/m,
    );
    assert.match(shown.stderr, /root is not asked for a second factor/);
  });

  pam.change('a locker prompts in its own way', async () => {
    const locker = '/etc/pam.d/i3lock';
    writeFileSync(locker, '#\nauth include login\n');
    await pam.must('alice', 'enable', 'i3lock', '--yes');
    assert.equal(readFileSync(locker, 'utf8'), '#\nauth include sallyport-locker\n');
    const shown = (await product.json(['pam', 'show', 'i3lock'])) as {
      guarded: boolean;
      findings: unknown[];
    };
    assert.deepEqual([shown.guarded, shown.findings], [true, []]);
    await pam.must('alice', 'disable', 'i3lock', '--yes');
    assert.equal(readFileSync(locker, 'utf8'), '#\nauth include login\n');
    await run('rm', [locker]);
  });

  pam.change('an edit by an administrator is kept on disable', async () => {
    await pam.must('alice', 'enable', 'sudo', '--yes');
    append(sudoFile, '# mine\n');
    await pam.must('alice', 'disable', 'sudo', '--yes');
    assert.equal(readFileSync(sudoFile, 'latin1'), `${before[sudoFile]}# mine\n`);
    writeFileSync(sudoFile, before[sudoFile] ?? '', 'latin1');
  });

  pam.change('an edit made during the confirmation prompt is not lost', async () => {
    const terminal = new Terminal(pam.command('alice', 'enable', 'sudo'));
    await terminal.expect(/\+@include sallyport-sudo/);
    await terminal.expect(/Change sudo, sudo-i\? \[y\/N\] /);
    append(sudoFile, '# mine\n');
    terminal.send('y\r');
    await terminal.expect(/has changed since it was shown/);
    assert.equal(await terminal.ended(), 1);
    assert.equal(readFileSync(sudoFile, 'latin1'), `${before[sudoFile]}# mine\n`);
    writeFileSync(sudoFile, before[sudoFile] ?? '', 'latin1');
    const no = new Terminal(pam.command('alice', 'enable', 'sudo'));
    await no.answer(/\[y\/N\] /, 'n');
    await no.expect(/nothing was changed/);
    assert.deepEqual(pam.files(), before);
  });

  pam.change('concurrent changes are made one after the other, or refused', async () => {
    const both = await Promise.all(
      ['sudo', 'su', 'login'].map((one) => pam.run('alice', 'enable', one, '--yes')),
    );
    for (const done of both)
      if (done.status !== 0)
        assert.match(done.stderr, /another change is in progress|only one is allowed at a time/, said(done));
    assert.ok(both.some(({ status }) => status === 0));
    const shown = (await product.json(['pam', 'show'])) as {
      services: { service: string; guarded: boolean }[];
    };
    for (const [index, service] of ['sudo', 'su', 'login'].entries())
      assert.equal(shown.services.find((one) => one.service === service)?.guarded, both[index]?.status === 0);
  });

  pam.change('nothing is changed if an account would be locked out', async () => {
    await pam.add('carol', false);
    const cases: readonly (readonly [RegExp, () => Promise<Finished>])[] = [
      [
        /carol could not log in.*run: sallyport factor add totp carol/s,
        () => pam.run('carol', 'enable', 'sudo', '--yes'),
      ],
      [/confirmation required/, () => pam.run('alice', 'enable', 'sudo')],
      [/--with key, or --with password/, () => pam.run('alice', 'enable', 'sshd', '--yes')],
      [
        /a change there applies to .*sshd.*pam-auth-update/s,
        () => pam.run('alice', 'enable', 'common-auth', '--stack', 'sudo'),
      ],
      [/includes the stack of su/, () => pam.run('alice', 'enable', 'su-l', '--yes')],
      [/\/etc\/pam\.d\/remote not found/, () => pam.run('alice', 'enable', 'remote', '--yes')],
      [/--stack one-prompt/, () => pam.run('alice', 'enable', 'chsh', '--yes')],
      [/unknown PAM service/, () => pam.run('alice', 'enable', '../shadow', '--yes')],
    ];
    for (const [message, action] of cases) {
      const refused = await action();
      assert.notEqual(refused.status, 0, `${message}`);
      assert.match(refused.stderr, message, said(refused));
      assert.deepEqual(pam.files(), before, `${message}`);
    }
    const others = await pam.must('alice', 'enable', 'sudo', '--dry-run');
    assert.match(others.stderr, /these accounts could no longer log in through sudo: carol/);
    assert.match(others.stderr, /This was a dry run: nothing was written\.\n$/);
    assert.deepEqual(pam.files(), before);
    await product.stop();
    const away = await pam.run('alice', 'enable', 'sudo', '--yes');
    assert.equal(away.status, 1);
    assert.match(away.stderr, /sallyportd does not answer/);
    await product.start();
  });

  pam.change('a service that libpam refuses is reported, and not made worse', async () => {
    const text = readFileSync(sudoFile, 'latin1');
    append('/etc/sudoers', 'Defaults:alice passwd_tries=1\n');
    const faults: readonly (readonly [string, RegExp])[] = [
      [text.replace('@include common-auth', '@include common-gone'), /common-gone not found/],
      [text.replace('@include common-account', 'account include common-gone'), /common-gone not found/],
      [`auth required pam_gone.so\n${text}`, /pam_gone\.so is not installed/],
      [`auth reqired pam_unix.so\n${text}`, /libpam cannot parse "reqired"/],
    ];
    for (const [broken, why] of faults) {
      writeFileSync(sudoFile, broken, 'latin1');
      const terminal = new Terminal([...as(pam.person('alice')), 'sudo', '-k', '-S', 'echo', 'in']);
      terminal.send(`${password}\r`);
      assert.notEqual(await terminal.ended(), 0, `sudo lets in: ${terminal.transcript}`);
      const doctor = (await product.cli(['doctor', '--json'])).stdout;
      const { findings } = JSON.parse(doctor) as {
        findings: { id?: string; severity: string; summary: string }[];
      };
      const found = findings.find(({ id }) => id === 'pam.service-refused');
      assert.equal(found?.severity, 'error', doctor);
      assert.match(found?.summary ?? '', why);
      const shown = await pam.must('alice', 'show', 'sudo');
      assert.match(shown.stderr, why);
      const refused = await pam.run('alice', 'enable', 'sudo', '--yes', '--dry-run');
      assert.equal(refused.status, 1, said(refused));
      assert.match(refused.stderr, /nothing was changed: sudo is already broken/);
      assert.match(refused.stderr, why);
      assert.equal(readFileSync(sudoFile, 'latin1'), broken);
    }
    writeFileSync(sudoFile, text, 'latin1');
  });

  pam.change('the effective sshd configuration decides', async () => {
    const enable = ['enable', 'sshd', '--with', 'key', '--yes'] as const;
    const cases: readonly (readonly [string, RegExp])[] = [
      // Read before the drop-in of Sallyport, so it takes precedence.
      [
        '/etc/ssh/sshd_config.d/00-a.conf',
        /sshd would use PasswordAuthentication yes instead of no, set in .*00-a\.conf:1/,
      ],
      ['/etc/ssh/sshd_config.d/50-match.conf', /for alice sshd would use AuthenticationMethods publickey/],
    ];
    for (const [file, message] of cases) {
      const match = file.includes('match');
      writeFileSync(
        file,
        match ? 'Match user alice\nAuthenticationMethods publickey\n' : 'PasswordAuthentication yes\n',
      );
      const with_ = pam.files();
      const refused = await pam.run('alice', ...enable);
      assert.equal(refused.status, 1, said(refused));
      assert.match(refused.stderr, message, said(refused));
      assert.deepEqual(pam.files(), with_);
      await run('rm', [file]);
    }
    writeFileSync('/etc/ssh/sshd_config.d/99-broken.conf', 'NoSuchKeyword yes\n');
    assert.match(
      (await pam.run('alice', ...enable)).stderr,
      /configuration of sshd is invalid.*NoSuchKeyword/s,
    );
    await run('rm', ['/etc/ssh/sshd_config.d/99-broken.conf']);
    await pam.add('dave', false);
    await product.addHotp('dave');
    await run('rm', [`${pam.person('dave').home}/.ssh/authorized_keys`]);
    assert.match((await pam.run('dave', ...enable)).stderr, /dave has no key in authorized_keys/);
  });

  pam.change('without a console fallback for root there is no change, except as a trial', async () => {
    const shadow = readFileSync('/etc/shadow', 'latin1');
    writeFileSync('/etc/shadow', shadow.replace(/^root:/m, 'root:!'), 'latin1');
    const refused = await pam.run('alice', 'enable', 'sshd', '--with', 'key', '--yes');
    assert.match(refused.stderr, /root has no password for the console/, said(refused));
    await pam.must('alice', 'enable', 'sshd', '--with', 'key', '--yes', '--try', '1h');
    writeFileSync('/etc/shadow', shadow, 'latin1');
  });

  pam.change('the module must exist at the path in the stack', async () => {
    const [directory = ''] = (
      await run('find', ['/lib/', '/usr/lib/', '-name', 'pam_sallyport.so'])
    ).stdout.split('\n');
    await run('mv', [directory, `${directory}.away`]);
    const refused = await pam.run('alice', 'enable', 'sudo', '--yes');
    assert.match(refused.stderr, /names pam_sallyport\.so, which is not installed/, said(refused));
    assert.deepEqual(pam.files(), before);
    await run('mv', [`${directory}.away`, directory]);
  });

  pam.change('can be disabled while sallyportd is stopped', async () => {
    await pam.must('alice', 'enable', 'sudo', '--yes');
    await product.stop();
    await pam.must('alice', 'disable', '--all', '--yes');
    assert.deepEqual(pam.files(), before);
    await product.start();
  });

  pam.change('can be disabled if no record can be written, and says so', async () => {
    await pam.must('alice', 'enable', 'sudo', '--yes');
    must('mount', ['-o', 'remount,ro', '/var/backups']);
    const done = await pam.run('root', 'disable', 'sudo', '--yes');
    must('mount', ['-o', 'remount,rw', '/var/backups']);
    assert.equal(done.status, 0, said(done));
    assert.match(done.stderr, /disk is full/);
    assert.deepEqual(pam.files(), before);
  });

  pam.change('users other than root are asked to use sudo', async () => {
    const [program = '', ...argv] = [
      ...as(pam.person('alice')),
      process.execPath,
      ...product.commandForPeople(['pam', 'show']),
    ];
    const asked = await run(program, argv);
    assert.equal(asked.status, 77, said(asked));
    assert.match(asked.stderr, /only root can/);
  });
});
