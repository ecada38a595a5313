import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { entriesOf, field, pack } from '../../support/package-content.ts';
import { must } from '../../support/rig/commands.ts';
import { repository } from '../../support/rig/layout.ts';

let directory: string;
let file: string;
/** What it unpacks, and its scripts. */
let tree: string;
let control: string;
before(() => {
  directory = mkdtempSync(join(tmpdir(), 'sallyport-package-'));
  file = pack(join(directory, 'first'));
  tree = join(directory, 'tree');
  control = join(directory, 'control');
  must('dpkg-deb', ['--extract', file, tree]);
  must('dpkg-deb', ['--control', file, control]);
});
after(() => rmSync(directory, { recursive: true, force: true }));

describe('what the package unpacks', () => {
  it('belongs to root, is writable only by root, and never set-id', () => {
    for (const { mode, owner, path } of entriesOf(file)) {
      assert.equal(owner, 'root/root', path);
      assert.match(mode, /^(l|[-d]rw[-x]r-[-x]r-[-x]$)/, path);
    }
  });

  it('is in the directories for packages, and one file of /etc that enables nothing', () => {
    const files = entriesOf(file).filter(({ mode }) => !mode.startsWith('d'));
    const etc = files.filter(({ path }) => !path.startsWith('/usr/'));
    assert.deepEqual(
      etc.map(({ path }) => path),
      ['/etc/pam.d/sallyport-password'],
    );
    assert.equal(readFileSync(join(control, 'conffiles'), 'utf8'), '/etc/pam.d/sallyport-password\n');
    const text = readFileSync(join(tree, 'etc/pam.d/sallyport-password'), 'utf8');
    assert.doesNotMatch(text, /^[^#]*(pam_sallyport|include|substack)/m);
    assert.ok(!files.some(({ path }) => path.startsWith('/usr/local/') || path.includes('node_modules')));
    assert.deepEqual(
      files.filter(({ target }) => target?.startsWith('/')),
      [],
    );
  });

  it('has each program as one script, as deep as in a clone', () => {
    const root = join(tree, 'usr/lib/sallyport');
    for (const program of ['daemon', 'cli', 'portal']) {
      const beside = readdirSync(join(root, 'dist', program)).filter((name) => name !== 'public');
      assert.deepEqual(beside, ['main.js']);
      assert.match(readFileSync(join(root, 'dist', program, 'main.js'), 'utf8'), /^#!\/usr\/bin\/node\n/);
    }
    for (const path of [
      ...[
        'dist/portal/public/index.html',
        'build/Release/sallyport_addon.node',
        'build/Release/classic_level.node',
      ],
      ...['pam-config/pam.d/sallyport-sshd', 'pam-config/sshd_config.d/sallyport-key-code.conf'],
      'pam-config/sallyport.toml.sample',
    ])
      assert.ok(existsSync(join(root, path)), path);
    for (const path of ['usr/bin/sallyport', 'usr/sbin/sallyportd', 'usr/libexec/sallyport/sallyport-fido'])
      assert.ok(existsSync(join(tree, path)), path);
  });

  it('has every unit, user, directory and rule of pam-config/', () => {
    for (const [from, to] of [
      ['systemd', 'usr/lib/systemd/system'],
      ['sysusers.d', 'usr/lib/sysusers.d'],
      ['tmpfiles.d', 'usr/lib/tmpfiles.d'],
      ['udev', 'usr/lib/udev/rules.d'],
      ['pam-configs', 'usr/share/pam-configs'],
    ] as const)
      for (const name of readdirSync(join(repository, 'pam-config', from)))
        assert.ok(existsSync(join(tree, to, name)), name);
  });

  it('has the manual pages, and completion for three shells', () => {
    const share = join(tree, 'usr/share');
    assert.deepEqual(readdirSync(join(share, 'man/man8')), [
      'pam_sallyport.8.gz',
      'sallyport.8.gz',
      'sallyportd.8.gz',
    ]);
    assert.deepEqual(readdirSync(join(share, 'man/man5')), ['sallyport.toml.5.gz']);
    for (const path of [
      'bash-completion/completions/sallyport',
      'zsh/vendor-completions/_sallyport',
      'fish/vendor_completions.d/sallyport.fish',
    ])
      assert.match(readFileSync(join(share, path), 'utf8'), /sallyport complete|complete/);
  });

  it('has no link in its pages that leads nowhere, and no unit that names a page that is not there', () => {
    const pages = entriesOf(file).filter(({ path }) => path.endsWith('.md'));
    const links = pages.flatMap(({ path }) =>
      [...readFileSync(join(tree, path), 'utf8').matchAll(/\]\((?!https?:|mailto:|#)([^)\s#]+)/g)].map(
        ([, link = '']) => ({ link, from: path, to: join(dirname(path), link) }),
      ),
    );
    const units = entriesOf(file).filter(({ path }) => /\/systemd\/system\/.+/.test(path));
    const named = units.flatMap(({ path }) =>
      [...readFileSync(join(tree, path), 'utf8').matchAll(/file:\/\/(\S+)/g)].map(([link, to = '']) => ({
        link,
        from: path,
        to,
      })),
    );
    assert.ok(links.length > 100 && named.length > 0, `${links.length}, ${named.length}`);
    const lost = [...links, ...named].filter(({ to }) => !existsSync(join(tree, to)));
    assert.deepEqual(lost, []);
    for (const name of ['CHANGELOG', 'CONTRIBUTING', 'SECURITY'])
      assert.ok(links.some(({ from, to }) => from.endsWith('/README.md') && to.endsWith(`/${name}.md`)));
  });

  it('names the licence of every library that is in it', () => {
    const text = readFileSync(join(tree, 'usr/share/doc/sallyport/copyright'), 'utf8');
    for (const name of [
      'level',
      'classic-level',
      'leveldb',
      'snappy',
      'ws',
      'commander',
      'valibot',
      'uqr',
      'diff',
      'preact',
    ])
      assert.match(
        text,
        new RegExp(`^Files: node_modules/${name}/\\*\nCopyright: .+\n(?: .+\n)*License: .+\n .+`, 'm'),
      );
    assert.match(text, /^Files: node_modules\/@simplewebauthn\/server\/\*$/m);
    assert.match(text, /^Files: node_modules\/smol-toml\/\*$/m);
  });

  it('is the same to the last byte when it is packed again', () => {
    const again = pack(join(directory, 'second'));
    assert.ok(readFileSync(file).equals(readFileSync(again)));
  });
});

describe('dependencies of the package', () => {
  it("are Debian's own, and Node without a version: preinst says more about that than apt", () => {
    assert.equal(field(file, 'Pre-Depends'), 'nodejs');
    const depends = field(file, 'Depends').split(', ');
    for (const name of ['libc6', 'libfido2-1', 'libpam0g', 'libpam-runtime', 'systemd'])
      assert.ok(
        depends.some((one) => one.split(' ')[0] === name),
        name,
      );
    assert.ok(!depends.some((one) => one.startsWith('nodejs')));
    const { version } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as {
      version: string;
    };
    assert.equal(field(file, 'Version'), version);
    assert.equal(field(file, 'Architecture'), must('dpkg', ['--print-architecture']).trim());
  });

  it('its scripts are complete', () => {
    for (const name of ['preinst', 'postinst', 'prerm', 'postrm']) {
      must('sh', ['-n', join(control, name)]);
      assert.doesNotMatch(readFileSync(join(control, name), 'utf8'), /@[A-Z]+@|""$/m, name);
    }
    const postinst = readFileSync(join(control, 'postinst'), 'utf8');
    assert.doesNotMatch(postinst, /^[^#]*(pam-auth-update|\/etc\/pam)/m);
    assert.match(postinst, /^units="sallyport-control\.socket .*sallyportd\.service"$/m);
    assert.match(postinst, /^optional=".*sallyport-portal\.socket.*"$/m);
  });
});

describe('preinst', () => {
  /** @param node the file used instead of /usr/bin/node; undefined: missing */
  function preinst(node: string | undefined, action = 'install') {
    const root = mkdtempSync(join(directory, 'root-'));
    mkdirSync(join(root, 'usr/bin'), { recursive: true });
    if (node !== undefined) {
      writeFileSync(join(root, 'usr/bin/node'), `#!/bin/sh\n${node}\n`);
      chmodSync(join(root, 'usr/bin/node'), 0o755);
    }
    const environment = { PATH: process.env.PATH ?? '', DPKG_ROOT: root };
    return spawnSync('sh', [join(control, 'preinst'), action], { encoding: 'utf8', env: environment });
  }

  it('accepts Node 20.19 and newer', () => {
    for (const version of ['20.19.0', '20.19.2', '20.20.0', '22.0.0', '100.1.0']) {
      const { status, stderr } = preinst(`echo v${version}`);
      assert.equal(status, 0, `${version}: ${stderr}`);
    }
  });

  it('refuses an older, missing or strange one, before an upgrade too, and says what to do', () => {
    for (const node of [
      ...[
        'echo v18.20.4',
        'echo v20.18.9',
        'echo v9.99.0',
        'echo v20',
        'echo none',
        'true',
        'echo v.20.1',
        'echo v22.x.1',
      ],
      ...['exit 1', undefined],
    ])
      for (const action of ['install', 'upgrade']) {
        const { status, stderr } = preinst(node, action);
        assert.equal(status, 1, node);
        assert.match(stderr, /Sallyport needs Node 20\.19 or newer/);
        assert.match(stderr, /Nothing was unpacked/);
        assert.match(stderr, /install a newer nodejs package/);
      }
  });

  it('does not prevent a downgrade', () => {
    assert.equal(preinst('echo v18.20.4', 'abort-upgrade').status, 0);
  });
});

describe('prerm', () => {
  const guarded = 'auth required pam_sallyport.so\n';
  /** @returns its output, for files of /etc/pam.d; `profile`: what pam-auth-update makes of common-auth */
  function prerm(services: Readonly<Record<string, string>>, profile?: string, action = 'remove') {
    const root = mkdtempSync(join(directory, 'root-'));
    for (const path of ['etc/pam.d', 'usr/lib/sallyport/pam-config/pam.d', 'var/lib/pam', 'bin'])
      mkdirSync(join(root, path), { recursive: true });
    writeFileSync(join(root, 'usr/lib/sallyport/pam-config/pam.d/sallyport-sshd'), guarded);
    for (const [name, text] of Object.entries(services)) writeFileSync(join(root, 'etc/pam.d', name), text);
    const program = (name: string, text: string) => {
      writeFileSync(join(root, 'bin', name), `#!/bin/sh\n${text}\n`);
      chmodSync(join(root, 'bin', name), 0o755);
    };
    // This machine's own services and PAM are not involved.
    program('deb-systemd-invoke', `echo "$@" >> ${root}/stopped`);
    const common = profile === undefined ? ':' : `printf '%s' '${profile}' > ${root}/etc/pam.d/common-auth`;
    program('pam-auth-update', `echo "$@" > ${root}/updated\n${common}`);
    const environment = { PATH: `${join(root, 'bin')}:/usr/sbin:/usr/bin:/sbin:/bin`, DPKG_ROOT: root };
    const { status, stderr } = spawnSync('sh', [join(control, 'prerm'), action], {
      encoding: 'utf8',
      env: environment,
    });
    const updated = existsSync(join(root, 'updated'))
      ? readFileSync(join(root, 'updated'), 'utf8').trim()
      : '';
    const named = [...stderr.matchAll(/^sallyport: {3}\S*\/etc\/pam\.d\/(.*)$/gm)].map((match) => match[1]);
    return { status, named, updated, stderr, stopped: existsSync(join(root, 'stopped')) };
  }

  it('allows removal if no login names it', () => {
    const { status, updated, stderr } = prerm({
      sshd: '# auth required pam_sallyport.so\nauth required pam_unix.so # not pam_sallyport.so\n',
      'sallyport-sshd': guarded,
      'sshd.dpkg-old': guarded,
      'sshd~': guarded,
    });
    assert.equal(status, 0, stderr);
    assert.equal(updated, '');
  });

  it('prevents removal if a service names it, by itself or through a ready stack, and stops nothing', () => {
    for (const line of [
      '@include sallyport-sshd\n',
      'auth include sallyport-sshd\n',
      'auth substack sallyport-sshd\n',
    ]) {
      const { status, named, stopped } = prerm({
        sshd: line,
        sudo: `-${guarded}`,
        'sallyport-sshd': guarded,
      });
      assert.equal(status, 1);
      assert.deepEqual(named, ['sshd', 'sudo']);
      assert.ok(!stopped);
    }
  });

  it('prevents removal if its stacks are included from their directory, however the word is written', () => {
    const { status, named } = prerm({
      sudo: '@include /usr/lib/sallyport/pam-config/pam.d/sallyport-sshd\n',
      sshd: 'auth Include sallyport-sshd\n',
      su: '# auth include /usr/lib/sallyport/pam-config/pam.d/sallyport-sshd\n',
      'sallyport-sshd': guarded,
    });
    assert.deepEqual([status, named], [1, ['sshd', 'sudo']]);
  });

  it('removes the profile from common-auth, and only if nothing else prevents the removal', () => {
    const services = { 'common-auth': guarded, sudo: '@include common-auth\n' };
    const gone = prerm(services, 'auth required pam_unix.so\n');
    assert.deepEqual([gone.status, gone.updated], [0, '--package --remove sallyport']);
    const kept = prerm({ ...services, sshd: guarded }, 'auth required pam_unix.so\n');
    assert.deepEqual([kept.status, kept.updated, kept.named], [1, '', ['sshd']]);
  });

  it('verifies that pam-auth-update removed the lines', () => {
    const { status, named, stopped } = prerm({ 'common-auth': guarded });
    assert.deepEqual([status, named, stopped], [1, ['common-auth'], false]);
  });

  it('does not prevent an upgrade', () => {
    const { status, updated, stopped } = prerm({ sshd: guarded, 'common-auth': guarded }, '', 'upgrade');
    assert.deepEqual([status, updated, stopped], [0, '', false]);
  });
});

describe('the bundled programs', () => {
  const run = (program: string, argv: readonly string[], node: readonly string[] = []) =>
    spawnSync(
      process.execPath,
      [...node, join(tree, 'usr/lib/sallyport/dist', program, 'main.js'), ...argv],
      {
        encoding: 'utf8',
        cwd: '/',
        env: {},
      },
    );

  it('start without node_modules', () => {
    const { version } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as {
      version: string;
    };
    for (const program of ['daemon', 'cli', 'portal']) {
      const asked = run(program, ['--version']);
      assert.equal(asked.status, 0, asked.stderr);
      assert.match(asked.stdout, new RegExp(`\\b${version}\\b`));
      const helped = run(program, ['--help']);
      assert.equal(helped.status, 0, helped.stderr);
      assert.match(helped.stdout, /^usage/i);
    }
  });

  it('find their native parts: the addon, LevelDB, and the helpers', () => {
    const root = join(directory, 'laid');
    // The helpers' links lead out of the program's directory, as in the package.
    const { status, stderr } = run('daemon', ['--init', '--root', root]);
    assert.equal(status, 0, stderr);
    const config = readFileSync(join(root, 'etc/sallyport.toml'), 'utf8');
    assert.match(config, /fido_helper.*\/usr\/lib\/sallyport\/build\/Release\/sallyport-fido"/);
    assert.match(config, /password_helper.*\/usr\/lib\/sallyport\/build\/Release\/sallyport-password"/);
  });

  it('load large libraries when they are first used, and not before', () => {
    const trace = 'data:text/javascript,process.on("exit",()=>console.error(typeof Reflect.defineMetadata))';
    assert.match(run('daemon', ['--version'], ['--import', trace]).stderr, /^undefined$/m);
    // The searched text comes with that library.
    const loaded = spawnSync(
      process.execPath,
      ['--import', trace, '--input-type=module', '--eval', 'await import("@simplewebauthn/server")'],
      { encoding: 'utf8', cwd: repository },
    );
    assert.match(loaded.stderr, /^function$/m);
    assert.match(readFileSync(join(tree, 'usr/lib/sallyport/dist/daemon/main.js'), 'utf8'), /defineMetadata/);
  });
});
