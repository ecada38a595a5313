import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Answer, Machine } from '../../cli/doctor/contract.ts';
import type { Entry, Files, Ran, Space } from '../../cli/doctor/files.ts';
import type { PamFiles } from '../../cli/pam/files.ts';
import type { TrialView } from '../../cli/pam/trial.ts';
import type { ExplainView, StatusView, StoredAuditEvent, UserLine } from '../../daemon/api/views.ts';
import { ControlError } from '../../daemon/client/client.ts';
import { systemPaths } from '../../daemon/config/defaults.ts';
import { parseConfig } from '../../daemon/config/load.ts';
import { describeProblem } from '../../daemon/config/problem.ts';

/** A machine in memory without faults, until a test breaks something. */

export const noon = Date.parse('2026-03-01T12:00:00Z');
export const day = 86_400_000;
const sallyport = 998;
const configFile = '/etc/sallyport/sallyport.toml';

export const goodConfig = `
[webauthn]
rp_id = "login.example.org"

[portal]
origins = ["https://login.example.org"]
cert_file = "/etc/sallyport/portal.crt"
key_file = "/etc/sallyport/portal.key"

[[realm]]
name = "staff"
members = { groups = ["staff"], users = ["alice"] }
require = ["totp", "webauthn"]

[[realm]]
name = "default"
require = "none"
`;

const ourStack = (more = '') => `auth requisite pam_unix.so
auth requisite pam_sallyport.so first_factor=passed${more}
auth required pam_permit.so
account required pam_unix.so
`;

const loginStack = `auth requisite pam_unix.so
auth [success=1 default=ignore] pam_succeed_if.so quiet uid = 0 rhost !~ ?* tty in tty1
auth [default=1] pam_permit.so
auth [success=1 ignore=1 authinfo_unavail=1 default=die] pam_sallyport.so first_factor=passed timeout=50
auth requisite pam_sallyport.so first_factor=passed timeout=50
auth required pam_permit.so
`;

const goodSshd = `usepam yes
permitrootlogin yes
pubkeyauthentication yes
passwordauthentication no
kbdinteractiveauthentication yes
permitemptypasswords no
logingracetime 120
pubkeyauthoptions none
authenticationmethods keyboard-interactive:pam
`;

interface Thing {
  entry: Entry;
  text?: string;
}

const entry = (kind: Entry['kind'], mode: number, uid = 0): Thing => ({
  entry: { kind, mode, uid, gid: uid, size: 1, changed: noon - 10 * day },
});

/** Self-signed certificates of the test's own, made once. */
let made: { readonly crt: string; readonly key: string; readonly otherKey: string } | undefined;

function certificates() {
  if (made !== undefined) return made;
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-doctor-'));
  try {
    const read = (name: string) => readFileSync(join(directory, name), 'utf8');
    const options = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-batch'];
    for (const name of ['portal', 'other'])
      execFileSync(
        'openssl',
        [
          ...['req', '-x509', ...options, '-keyout', join(directory, `${name}.key`)],
          ...['-out', join(directory, `${name}.crt`), '-days', '90', '-subj', '/CN=login.example.org'],
          ...['-addext', 'subjectAltName=DNS:login.example.org'],
        ],
        { stdio: 'ignore' },
      );
    made = { crt: read('portal.crt'), key: read('portal.key'), otherKey: read('other.key') };
    return made;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

export class FakeMachine implements Machine {
  uid = 0;
  user = 'root';
  rooted = false;
  version = '1.0.0';
  configFile = configFile;
  /** When the certificate is valid. */
  time = Date.now() + day;
  builtAt: number | undefined = noon;
  configText: string | undefined = goodConfig;
  things = new Map<string, Thing>();
  unseen = new Set<string>();
  room: Space = { kind: 'space', bytes: 2 ** 34, free: 2 ** 33, inodes: 1_000_000, freeInodes: 900_000 };
  stacks: Record<string, string> = {
    sshd: ourStack(),
    sudo: ourStack(),
    login: loginStack,
    cron: 'auth required pam_unix.so\n',
  };
  /** By the whole command line, or by its beginning. */
  commands: Record<string, Ran | Partial<Ran>> = {};
  sshd = goodSshd;
  groups: Record<string, string | undefined> = {
    staff: 'staff:x:50:bob',
    'sallyport-admin': 'sallyport-admin:x:60:alice',
  };
  accounts: Record<string, string | undefined> = {
    alice: 'alice:x:1000:1000::/home/alice:/bin/bash',
    sallyport: `sallyport:x:${sallyport}:${sallyport}::/:/usr/sbin/nologin`,
    'sallyport-portal': 'sallyport-portal:x:997:997::/:/usr/sbin/nologin',
  };
  passwd =
    'root:x:0:0::/root:/bin/bash\nalice:x:1000:1000::/home/alice:/bin/bash\ndaemon:x:1:1::/:/usr/sbin/nologin\n';
  /** Databases of NSS of which a source does not answer. */
  silentSources = new Set<'passwd' | 'group'>();
  interfaces: string[] = ['127.0.0.1', '::1', '192.0.2.10'];
  connections: Record<string, 'accepts' | 'silent' | 'absent' | 'forbidden'> = {};
  statusError: ControlError | undefined;
  statusNow: StatusView;
  statusLater: StatusView | undefined;
  stored: UserLine[] = [];
  explained: (user: string, service: string, from?: string) => Partial<ExplainView> | ControlError =
    () => ({});
  newest: StoredAuditEvent | undefined;
  throwIn: string | undefined;
  /** Where a path leads to. */
  links: Record<string, string> = {};
  certificate = certificates();

  constructor() {
    const put = (path: string, thing: Thing) => void this.things.set(path, thing);
    for (const directory of ['/', '/etc', '/etc/sallyport', '/var', '/var/lib', '/var/log'])
      put(directory, entry('directory', 0o755));
    put('/var/lib/sallyport', entry('directory', 0o700, sallyport));
    put(configFile, entry('file', 0o644));
    put(systemPaths.masterKey, entry('file', 0o600, sallyport));
    put(systemPaths.store, entry('directory', 0o700, sallyport));
    put(`${systemPaths.store}/CURRENT`, entry('file', 0o600, sallyport));
    put(`${systemPaths.store}.reserve`, entry('file', 0o600, sallyport));
    put(systemPaths.anchor, entry('file', 0o600, sallyport));
    put(systemPaths.lastGood, entry('file', 0o600, sallyport));
    put(systemPaths.pamSocket, entry('socket', 0o600, sallyport));
    put(systemPaths.pamUserSocket, entry('socket', 0o666, sallyport));
    put(systemPaths.controlSocket, entry('socket', 0o666, sallyport));
    put('/etc/sallyport/portal.crt', { ...entry('file', 0o644), text: this.certificate.crt });
    put('/etc/sallyport/portal.key', { ...entry('file', 0o640), text: this.certificate.key });
    // chgrp sallyport-portal
    this.change('/etc/sallyport/portal.key', { gid: 997 });
    put('/etc/pam.d/sallyport-password', { ...entry('file', 0o644), text: 'auth sufficient pam_unix.so\n' });
    put('/etc/shadow', { ...entry('file', 0o640), text: 'root:$6$salt$hash:19000:0:99999:7:::\n' });
    put('/etc/ssh/sshd_config', { ...entry('file', 0o644), text: 'Include /etc/ssh/sshd_config.d/*.conf\n' });
    put('/usr/lib/x86_64-linux-gnu/security/pam_sallyport.so', entry('file', 0o644));
    this.statusNow = {
      version: '1.0.0',
      pid: 77,
      logins: 0,
      started: noon - day,
      now: noon,
      config: { file: configFile, loaded: noon - day, realms: 2 },
      securityKeys: { rpId: 'login.example.org', askedBy: systemPaths.fidoSocket },
      observing: [],
      exemptions: { running: 0, complete: true },
      presence: { state: 'complete', gone: 0, another: 0, at: noon - day },
      store: {
        state: 'ok',
        commit: 9,
        accounts: 1,
        events: { first: 1, last: 9 },
        anchorCommit: 9,
        scrub: { lastFinished: noon - 3_600_000, read: 9, findings: [] },
      },
      warnings: [],
    };
  }

  /** In a file or directory that is there. */
  change(path: string, to: Partial<Entry>, text?: string): void {
    const thing = this.things.get(path) ?? entry('file', 0o644);
    this.things.set(path, {
      entry: { ...thing.entry, ...to },
      ...(text === undefined ? (thing.text === undefined ? {} : { text: thing.text }) : { text }),
    });
  }

  away(): void {
    this.statusError = new ControlError('daemon-unreachable', 'sallyportd does not answer');
  }

  now = (): number => this.time;
  built = async (): Promise<number | undefined> => this.builtAt;
  wait = async (): Promise<void> => undefined;

  files: Files = {
    look: async (path) => {
      if (this.throwIn === path) throw new Error('a defect');
      if (this.unseen.has(path)) return { kind: 'unseen', why: 'EACCES' };
      return this.things.get(path)?.entry ?? { kind: 'absent' };
    },
    read: async (path) => {
      if (this.unseen.has(path)) return { kind: 'unseen', why: 'EACCES' };
      if (path === '/etc/passwd') return { kind: 'text', text: this.passwd };
      if (path === '/etc/group')
        return {
          kind: 'text',
          text: Object.values(this.groups)
            .flatMap((line) => line ?? [])
            .join('\n'),
        };
      const thing = this.things.get(path);
      return thing === undefined ? { kind: 'absent' } : { kind: 'text', text: thing.text ?? '' };
    },
    list: async (path) => {
      const under = [...this.things.keys()].filter((one) => one.startsWith(`${path}/`));
      const names = [...new Set(under.map((one) => one.slice(path.length + 1).split('/')[0] ?? ''))];
      return names.length === 0 ? { kind: 'absent' } : { kind: 'names', names };
    },
    real: async (path) => this.links[path] ?? path,
    space: async (path) => (this.things.has(path) ? this.room : { kind: 'absent' }),
  };

  run = async (argv: readonly string[]): Promise<Ran> => {
    const text = argv.join(' ');
    const given = Object.entries(this.commands).find(([start]) => text.startsWith(start))?.[1];
    if (given !== undefined) return { status: 0, stdout: '', stderr: '', ...given };
    const [program, , database, name = ''] = argv;
    if (program === 'getent') {
      if (argv.includes('ahosts')) return { status: 0, stdout: '192.0.2.10 STREAM\n', stderr: '' };
      const line = argv.includes('group') ? this.groups[name] : this.accounts[argv.at(-1) ?? ''];
      return line === undefined || database === undefined
        ? { status: 2, stdout: '', stderr: '' }
        : { status: 0, stdout: `${line}\n`, stderr: '' };
    }
    if (program === 'sshd') return { status: 0, stdout: this.sshd, stderr: '' };
    if (program === 'timedatectl') return { status: 0, stdout: 'yes\n', stderr: '' };
    if (program === 'ss') return { status: 0, stdout: '', stderr: '' };
    return { status: undefined, stdout: '', stderr: '', missing: true };
  };

  config = async () => {
    if (this.configText === undefined)
      return { kind: 'absent', why: 'there is none', paths: systemPaths } as const;
    const parsed = parseConfig(this.configText, configFile, 'host');
    return parsed.ok
      ? ({ kind: 'good', config: parsed.config } as const)
      : ({ kind: 'bad', problems: parsed.problems.map(describeProblem), paths: systemPaths } as const);
  };

  sourcesTell = async (database: 'passwd' | 'group') => !this.silentSources.has(database);
  addresses = () => this.interfaces;

  status = async (): Promise<Answer<StatusView>> => {
    const { statusError: error } = this;
    if (error !== undefined) return { ok: false, code: error.code, message: error.message };
    return { ok: true, value: this.statusNow };
  };

  connects = async (path: string) => this.connections[path] ?? 'accepts';

  trialNow: TrialView | undefined;
  trial = () => this.trialNow;

  /** Names of /etc/pam.d that are directories. */
  pamDirectories = new Set<string>();
  missingModules = new Set<string>();

  get pam(): PamFiles {
    return {
      hasModule: (module) => !this.missingModules.has(module),
      read: (name) => {
        if (this.pamDirectories.has(name)) return { path: `/etc/pam.d/${name}`, text: '', isDirectory: true };
        const text = this.stacks[name.replace('/etc/pam.d/', '')];
        return text === undefined
          ? undefined
          : { path: `/etc/pam.d/${name.replace('/etc/pam.d/', '')}`, text };
      },
      names: () => Object.keys(this.stacks).sort(),
    };
  }

  daemon: Machine['daemon'] = {
    status: async () => this.statusLater ?? this.statusNow,
    realms: async () => {
      const read = await this.config();
      return read.kind === 'good' ? read.config.realms : [];
    },
    users: async () => ({ users: this.stored }),
    user: () => Promise.reject(new ControlError('no-such-account', 'there is none')),
    explain: async (user, { service, from }) => {
      const given = this.explained(user, service, from);
      if (given instanceof ControlError) throw given;
      return {
        account: user,
        service,
        decision: 'ask',
        why: 'ask',
        realm: 'staff',
        membershipReason: '',
        file: configFile,
        line: 11,
        detail: 'any one of these is accepted',
        lines: [],
        ...given,
      };
    },
    audit: async () => ({ events: this.newest === undefined ? [] : [this.newest] }),
  };
}
