import { chmodSync, copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Booted } from './rig/booted.ts';
import { type Finished, must, until } from './rig/commands.ts';
import { repository } from './rig/layout.ts';

/** What the package depends on, and what people log in with. */
export const alsoInstalled = ['nodejs', 'libfido2-1', 'sudo', 'expect', 'openssh-client'];

/** @returns the path of the package */
export function buildPackage(directory: string, version?: string): string {
  const more = version === undefined ? [] : ['--version', version];
  const script = join(repository, 'scripts/package.mjs');
  return must(process.execPath, [script, '--out', directory, ...more]).trim();
}

/**
 * The Node that runs this test as a Debian package that a machine may have from elsewhere.
 * @returns the path of the package
 */
export function packNode(directory: string): string {
  const tree = join(directory, 'nodejs');
  mkdirSync(join(tree, 'usr/bin'), { recursive: true });
  mkdirSync(join(tree, 'DEBIAN'));
  copyFileSync(process.execPath, join(tree, 'usr/bin/node'));
  chmodSync(join(tree, 'usr/bin/node'), 0o755);
  const arch = must('dpkg', ['--print-architecture']).trim();
  writeFileSync(
    join(tree, 'DEBIAN/control'),
    `Package: nodejs
Version: ${process.versions.node}-1elsewhere1
Architecture: ${arch}
Maintainer: The tests <tests@sallyport.invalid>
Depends: libc6
Description: a newer Node
`,
  );
  const file = join(directory, 'nodejs.deb');
  must('dpkg-deb', ['--root-owner-group', '-Znone', '--build', tree, file]);
  rmSync(tree, { recursive: true });
  return file;
}

/**
 * Types the password, then the answer; GATE: only once GATE.go is there. Who is asked for the password once more
 * types both again. Its status says how the login went.
 */
const loginScript = `
set timeout 60
lassign $argv way user password answer gate
set asks {(code|key)[^\\r\\n]*: $}
if {$way eq "ssh"} {
  spawn -noecho ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR \
    -o PreferredAuthentications=keyboard-interactive $user@127.0.0.1 echo logged-in
} else {
  spawn -noecho runuser -u bob -- su $user -c "echo logged-in"
}
expect "assword:" {} timeout { exit 10 } eof { exit 11 }
send -- "$password\\r"
if {$answer ne ""} {
  expect -re $asks {} timeout { exit 12 } eof { exit 13 }
  if {$gate ne ""} {
    close [open $gate.ready w]
    while {![file exists $gate.go]} { after 50 }
  }
  send -- "$answer\\r"
}
set again 0
expect {
  logged-in { exit [expr {$again ? 3 : 0}] }
  "restarted. Please try again." { exit 2 }
  "already used" { exit 4 }
  -re $asks { exit 5 }
  "assword:" {
    if {$again} { exit 6 }
    set again 1
    send -- "$password\\r"
    expect -re $asks
    send -- "$answer\\r"
    exp_continue
  }
  timeout { exit 14 }
  eof { exit 15 }
}
`;

/** How a login went. inAgain: the program began again by itself; used: the answer was, before. */
export const outcomes = { in: 0, reported: 2, inAgain: 3, used: 4 } as const;

const password = 'correct horse';

/** A Debian that is booted, with packages of this build to install in /packages. */
export class PackageMachine {
  readonly machine: Booted;

  private constructor(machine: Booted) {
    this.machine = machine;
  }

  static async boot(root: string, packages: string): Promise<PackageMachine> {
    const machine = await Booted.boot(root, () => undefined, { '/packages': packages });
    await machine.write('/root/login.exp', loginScript);
    return new PackageMachine(machine);
  }

  sh(script: string): Promise<Finished> {
    return this.machine.run(['env', 'DEBIAN_FRONTEND=noninteractive', 'bash', '-c', script], {
      timeout: 300_000,
    });
  }

  /** As `sh`, and throws with all that was said when it fails. */
  async must(script: string): Promise<string> {
    const { status, stdout, stderr } = await this.sh(script);
    if (status !== 0) throw new Error(`${script}: status ${status}\n${stdout}${stderr}`);
    return stdout.trim();
  }

  /** @returns with all that was said, as it stands on a screen */
  async apt(
    command: 'install' | 'remove' | 'purge',
    what: string,
  ): Promise<{ status: number | null; said: string }> {
    const { status, stdout, stderr } = await this.sh(
      `apt-get ${command} --yes --no-install-recommends ${what} < /dev/null`,
    );
    return { status, said: (stdout + stderr).replaceAll('\r\n', '\n') };
  }

  async addPerson(name: string): Promise<void> {
    await this.must(
      `useradd --create-home --shell=/bin/bash ${name} && echo '${name}:${password}' | chpasswd`,
    );
  }

  /** @returns what each opens one login with, in any order */
  async recoveryKeys(user: string): Promise<string[]> {
    return (await this.must(`sallyport factor add recovery ${user} --yes`)).split('\n');
  }

  /** Guards sshd and su as the heads of the files say. */
  async guard(): Promise<void> {
    await this.must(`
      cd /usr/lib/sallyport/pam-config/pam.d && cp sallyport-sshd sallyport-su /etc/pam.d/
      sed -i 's/^@include common-auth/@include sallyport-sshd/' /etc/pam.d/sshd
      sed -i 's/^@include common-auth/@include sallyport-su/' /etc/pam.d/su
      cp /usr/lib/sallyport/pam-config/sshd_config.d/sallyport-password-code.conf /etc/ssh/sshd_config.d/
      printf 'MaxStartups 200\\nPerSourcePenalties no\\n' > /etc/ssh/sshd_config.d/tests.conf
      sshd -t 2>/dev/null || sed -i /Penalties/d /etc/ssh/sshd_config.d/tests.conf
      systemctl restart ssh`);
  }

  async unguard(): Promise<void> {
    await this.must(
      "sed -Ei 's/^@include sallyport-(sshd|su)$/@include common-auth/' /etc/pam.d/sshd /etc/pam.d/su",
    );
  }

  /** @param answer to the second prompt; '': there is to be none */
  async login(user: string, answer: string, gate = '', way: 'ssh' | 'su' = 'ssh'): Promise<number> {
    const { status } = await this.machine.run([
      'expect',
      '/root/login.exp',
      way,
      user,
      password,
      answer,
      gate,
    ]);
    return status ?? -1;
  }

  async waitFor(what: string, script: string): Promise<void> {
    await until(what, async () => (await this.sh(script)).status === 0, 60_000);
  }

  end(): Promise<void> {
    return this.machine.end();
  }
}
