import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type FindingId, findingIds } from '../../../../cli/doctor/catalogue.ts';
import { checks, complete, examine, worst } from '../../../../cli/doctor/examine.ts';
import { ControlError } from '../../../../daemon/client/client.ts';
import { systemPaths } from '../../../../daemon/config/defaults.ts';
import { day, FakeMachine, goodConfig, noon } from '../../../support/doctor-machine.ts';
import { olderWayIn } from '../../../support/pam-stacks.ts';

/** Every finding from both sides: reported when something is broken, and absent on a machine without faults. */

type Break = (machine: FakeMachine) => void;
const is =
  (keyword: string, value: string): Break =>
  (machine) => {
    machine.sshd = machine.sshd.replace(new RegExp(`^${keyword} .*$`, 'm'), `${keyword} ${value}`);
  };
const stack =
  (service: string, text: string): Break =>
  (machine) => {
    machine.stacks[service] = text;
  };
const refusedFor =
  (why: string): Break =>
  (machine) => {
    machine.explained = (user) => (user === 'alice' ? { decision: 'refused', why, detail: why } : {});
  };
const config =
  (from: string | RegExp, to: string): Break =>
  (machine) => {
    machine.configText = goodConfig.replace(from, to);
  };
const store =
  (change: object): Break =>
  (machine) => {
    machine.statusNow = { ...machine.statusNow, store: { ...machine.statusNow.store, ...change } };
  };

/** A table up to the next one; the bracket of a list does not begin a line. */
const portal = /\[portal\](?:.|\n(?!\[))*/;
const webauthn = /\[webauthn\](?:.|\n(?!\[\[))*/;

const breaks: Readonly<Record<FindingId, Break>> = {
  'not-checked': (machine) => machine.unseen.add(systemPaths.masterKey),
  'check-failed': (machine) => {
    machine.throwIn = systemPaths.masterKey;
  },
  'check-too-slow': () => undefined,

  'daemon.down': (machine) => machine.away(),
  'daemon.not-running': (machine) => {
    machine.away();
    machine.stacks = { sshd: 'auth required pam_unix.so\n' };
  },
  'daemon.not-initialised': (machine) => {
    machine.away();
    machine.things.delete(machine.configFile);
    machine.things.delete(systemPaths.store);
  },
  'daemon.version-mismatch': (machine) => {
    machine.version = '1.1.0';
  },

  'config.invalid': config('"none"', '"nine"'),
  'config.no-fallback': (machine) => {
    machine.away();
    machine.things.delete(systemPaths.lastGood);
    machine.configText = 'realm = 1';
  },
  'config.missing': (machine) => {
    machine.configText = undefined;
  },
  'config.not-in-force': (machine) => {
    machine.statusNow = {
      ...machine.statusNow,
      config: { ...machine.statusNow.config, problem: '[paths] has changed' },
    };
  },
  'config.deprecated': (machine) => {
    machine.configText = `[audit]\nkeep = "30d"\n${goodConfig}`;
  },
  'config.not-loaded': (machine) => machine.change(machine.configFile, { changed: noon }),

  'mode.writable': (machine) => machine.change('/etc/sallyport', { mode: 0o775, gid: 50 }),
  'mode.owner': (machine) => machine.change(systemPaths.anchor, { uid: 1000 }),
  'mode.readable': (machine) => machine.change(systemPaths.masterKey, { mode: 0o640 }),
  'mode.store-open': (machine) => machine.change(systemPaths.store, { mode: 0o755 }),

  'key.missing': (machine) => {
    machine.things.delete(systemPaths.masterKey);
    machine.away();
  },
  'key.changed': (machine) => machine.change(systemPaths.masterKey, { changed: noon }),
  'key.in-git': (machine) => {
    machine.change('/etc/.git', { kind: 'directory' });
    machine.commands.git = { status: 1 };
  },
  'key.beside-store': (machine) => {
    machine.configText = `[paths]\nmaster_key = "/var/lib/sallyport/master.key"\n${goodConfig}`;
    machine.change('/var/lib/sallyport/master.key', { mode: 0o600, uid: 998 });
  },

  'store.missing': (machine) => {
    machine.away();
    machine.things.delete(systemPaths.anchor);
  },
  'store.unwritable': store({ state: 'unwritable', reason: 'disk full' }),
  'store.damaged': store({ scrub: { read: 9, findings: ['the record of bob is damaged'] } }),
  'store.anchor-behind': store({ anchorCommit: 3 }),
  'store.unread': store({ scrub: { read: 9, lastFinished: noon - 9 * day, findings: [] } }),
  'store.no-reserve': (machine) => machine.things.delete(`${systemPaths.store}.reserve`),

  'socket.missing': (machine) => machine.things.delete(systemPaths.pamSocket),
  'socket.owner': (machine) => machine.change(systemPaths.pamSocket, { uid: 1000 }),
  'socket.silent': (machine) => {
    machine.connections[systemPaths.pamSocket] = 'silent';
  },
  'socket.foreign-process': (machine) => {
    machine.commands['ss '] = {
      stdout: `u_str LISTEN 0 511 ${systemPaths.pamSocket} 999 * 0 users:(("evil",pid=666,fd=3))\n`,
    };
  },
  'socket.open': (machine) => machine.change(systemPaths.pamSocket, { mode: 0o666 }),
  'socket.closed': (machine) => machine.change(systemPaths.controlSocket, { mode: 0o600 }),

  'helper.password-unreachable': (machine) => {
    machine.connections[systemPaths.passwordSocket] = 'absent';
  },
  'helper.password-none': (machine) => {
    config(portal, '')(machine);
    machine.connections[systemPaths.passwordSocket] = 'absent';
  },
  'helper.password-service': (machine) => machine.things.delete('/etc/pam.d/sallyport-password'),
  'helper.fido-unreachable': (machine) => {
    machine.connections[systemPaths.fidoSocket] = 'silent';
  },

  'clock.unsynchronised': (machine) => {
    machine.commands.timedatectl = { stdout: 'no\n' };
  },
  'clock.behind': (machine) => {
    machine.newest = {
      seq: 9,
      kind: 'login',
      outcome: 'success',
      at: machine.time + day,
      account: 'alice',
      reason: 'verified',
    };
  },
  'clock.no-skew': config('require = ["totp", "webauthn"]', 'require = "totp"\ntotp = { skew = 0 }'),

  'realm.group-gone': (machine) => {
    machine.groups.staff = undefined;
  },
  'realm.group-unknown': (machine) => {
    machine.commands['getent -- group staff'] = { status: 3 };
  },
  'realm.group-observed': (machine) => {
    machine.groups.staff = undefined;
    breaks['realm.observing'](machine);
  },
  'realm.group-empty': (machine) => {
    machine.groups.staff = 'staff:x:50:';
  },
  'realm.user-gone': (machine) => {
    machine.accounts.alice = undefined;
  },
  'realm.service-unknown': (machine) => {
    const rule = '[[realm.rule]]\nservices = ["ssh"]\naction = "skip"\n';
    machine.configText = goodConfig.replace(
      '[[realm]]\nname = "default"',
      `${rule}[[realm]]\nname = "default"`,
    );
  },
  'realm.observing': (machine) => {
    const realms = async () =>
      (await new FakeMachine().daemon.realms()).map((realm) => ({ ...realm, observe: true }));
    machine.daemon = { ...machine.daemon, realms };
  },
  'realm.no-account': (machine) => {
    machine.accounts.alice = undefined;
    machine.groups.staff = 'staff:x:50:';
  },

  'member.no-factor': refusedFor('no-factor'),
  'member.no-accepted-factor': refusedFor('no-accepted-factor'),
  'member.all-disabled': refusedFor('all-disabled'),
  'member.key-unavailable': refusedFor('key-unavailable'),
  'member.grace-expired': refusedFor('grace-expired'),
  'member.locked': refusedFor('codes-locked'),
  'member.unresolved': (machine) => {
    machine.explained = () => new ControlError('accounts-unavailable', 'the directory is away');
  },
  'member.held': (machine) => {
    const factors = [{ kind: 'totp', enabled: true, heldUntil: machine.time + 60_000 }];
    machine.stored = [{ account: 'alice', factors, lock: { codes: 0, any: 0 } }];
  },
  'member.damaged': (machine) => {
    machine.stored = [{ account: 'carol', factors: [], lock: { codes: 0, any: 0 }, damaged: 'a bad tag' }];
  },
  'member.uid-changed': refusedFor('uid-changed'),
  'member.gone': (machine) => {
    machine.stored = [{ account: 'carol', presence: 'gone', factors: [], lock: { codes: 0, any: 0 } }];
  },
  'member.bad-name': (machine) => {
    machine.groups.staff = 'staff:x:50:bob\x1b[2J';
  },
  'member.refused-by-rule': refusedFor('rule-refuse'),
  'member.only-from': (machine) => {
    const rule = '[[realm.rule]]\nservices = ["sshd"]\nfrom = ["10.0.0.0/8"]\naction = "skip"\n';
    machine.configText = goodConfig.replace(
      '[[realm]]\nname = "default"',
      `${rule}[[realm]]\nname = "default"`,
    );
    machine.explained = (user, service, from) =>
      user !== 'alice' || service !== 'sshd'
        ? {}
        : from === '192.0.2.1'
          ? { decision: 'refused', why: 'no-factor' }
          : { decision: 'not-needed', why: 'rule-skip' };
  },
  'member.grace': (machine) => {
    machine.explained = () => ({ decision: 'not-needed', why: 'grace' });
  },
  'member.not-ready': (machine) => {
    machine.stacks = { sshd: 'auth required pam_unix.so\n' };
    refusedFor('no-factor')(machine);
  },

  'admin.only-root': (machine) => {
    machine.groups['sallyport-admin'] = undefined;
  },

  'secrets.shown': config('[webauthn]', 'secrets_in = ["gdm-password"]\n[webauthn]'),

  'sshd.config-bad': (machine) => {
    machine.commands['sshd -T'] = {
      status: 255,
      stderr: '/etc/ssh/sshd_config line 3: Bad configuration option',
    };
  },
  'sshd.pam-off': is('usepam', 'no'),
  'sshd.single-factor': is('authenticationmethods', 'any'),
  'sshd.no-conversation': is('kbdinteractiveauthentication', 'no'),
  'sshd.password-answers-twice': (machine) => {
    is('authenticationmethods', 'keyboard-interactive:pam password')(machine);
    is('passwordauthentication', 'yes')(machine);
  },
  'sshd.key-not-asked': (machine) => {
    is('authenticationmethods', 'keyboard-interactive:pam')(machine);
    machine.stacks.sshd = `auth requisite pam_exec.so quiet /bin/sh -c [case "$SSH_AUTH_INFO_0" in "publickey "*) exit 0 ;; esac; exit 1]
auth requisite pam_sallyport.so
auth required pam_permit.so
`;
  },
  'sshd.key-and-password': is('authenticationmethods', 'publickey,keyboard-interactive:pam'),
  'sshd.root-shut-out': is('permitrootlogin', 'without-password'),
  'sshd.empty-passwords': is('permitemptypasswords', 'yes'),
  'sshd.drop-in-unread': (machine) => {
    machine.change('/etc/ssh/sshd_config.d/sallyport-key-code.conf', {}, 'UsePAM yes\n');
    machine.change('/etc/ssh/sshd_config', {}, 'UsePAM yes\n');
  },
  'sshd.grace-short': is('logingracetime', '60'),
  'sshd.penalties': (machine) => {
    machine.sshd += 'persourcepenalties crash:90 authfail:5\n';
  },
  'sshd.host-names': (machine) => {
    machine.sshd += 'usedns yes\n';
    const rule = '[[realm.rule]]\nfrom = ["10.0.0.0/8"]\naction = "skip"\n';
    machine.configText = goodConfig.replace(
      '[[realm]]\nname = "default"',
      `${rule}[[realm]]\nname = "default"`,
    );
  },
  'sshd.touch-not-required': (machine) => {
    const rule = '[[realm.rule]]\nservices = ["sshd"]\naction = { accept = "ssh-sk" }\n';
    machine.configText = goodConfig.replace(
      '[[realm]]\nname = "default"',
      `${rule}[[realm]]\nname = "default"`,
    );
  },

  'pam.nothing-guarded': (machine) => {
    machine.stacks = { sshd: 'auth required pam_unix.so\n' };
  },
  'pam.service-refused': stack('sudo', '@include nowhere\nauth requisite pam_sallyport.so\n'),
  'pam.line-broken': stack(
    'sudo',
    'auth [success=1 default=ignore] pam_unix.so\nauth reqired pam_deny.so\nauth requisite pam_sallyport.so\nauth required pam_permit.so\n',
  ),
  'pam.line-empty': (machine) => {
    machine.pamDirectories.add('common-auth');
    machine.stacks.cron = '@include common-auth\nauth required pam_permit.so\n';
  },
  'pam.module-missing': (machine) =>
    machine.things.delete('/usr/lib/x86_64-linux-gnu/security/pam_sallyport.so'),
  'pam.skipped': stack(
    'sudo',
    'auth sufficient pam_unix.so\nauth requisite pam_sallyport.so\nauth required pam_permit.so\n',
  ),
  'pam.refusal-ignored': stack('sudo', 'auth requisite pam_unix.so\nauth optional pam_sallyport.so\n'),
  'pam.ignore-refused': stack('sudo', 'auth requisite pam_sallyport.so\n'),
  'pam.first-factor-unverified': stack(
    'sudo',
    'auth required pam_unix.so\nauth requisite pam_sallyport.so first_factor=passed\nauth required pam_permit.so\n',
  ),
  'pam.asked-twice': stack(
    'sudo',
    'auth requisite pam_unix.so\nauth requisite pam_sallyport.so\nauth requisite pam_sallyport.so\nauth required pam_permit.so\n',
  ),
  'pam.wrong-phase': (machine) => {
    machine.stacks.sudo += 'session required pam_sallyport.so\n';
  },
  'pam.other-socket': (machine) => {
    machine.stacks.sudo = (machine.stacks.sudo ?? '').replace(
      '=passed',
      '=passed socket=/run/other/pam.sock',
    );
  },
  'pam.alias-unprotected': stack('sudo-i', 'auth required pam_unix.so\n'),
  'pam.reach': (machine) => {
    machine.stacks['common-auth'] = machine.stacks.sudo ?? '';
    machine.stacks['polkit-1'] = '@include common-auth\n';
  },
  'pam.try-open': (machine) => {
    machine.trialNow = { id: '1', services: ['sshd'], state: 'on-trial', left: 500 };
  },

  'root.no-console-fallback': (machine) => {
    machine.stacks.login = machine.stacks.sudo ?? '';
  },
  'root.way-around': (machine) => {
    machine.stacks['common-auth'] = `auth requisite pam_unix.so\n${olderWayIn}auth required pam_permit.so\n`;
    machine.stacks.su = '@include common-auth\n';
  },
  'root.no-password': (machine) => machine.change('/etc/shadow', {}, 'root:*:19000:0:99999:7:::\n'),
  'root.no-shell': (machine) => {
    machine.passwd = 'root:x:0:0::/root:/usr/sbin/nologin\n';
  },

  'disk.full': (machine) => {
    machine.room = { ...machine.room, free: 1024 };
  },
  'disk.low': (machine) => {
    machine.room = { ...machine.room, freeInodes: 20 };
  },
  'disk.log': (machine) => {
    machine.room = { ...machine.room, free: 100 * 2 ** 20 };
  },

  'portal.certificate-unreadable': (machine) => machine.change('/etc/sallyport/portal.crt', {}, 'rubbish'),
  'portal.certificate-expired': (machine) => {
    machine.time += 400 * day;
  },
  'portal.certificate-early': (machine) => {
    machine.builtAt = undefined;
    machine.time -= 400 * day;
  },
  'portal.certificate-ends': (machine) => {
    machine.time += 80 * day;
  },
  'portal.certificate-name': config(
    'origins = ["https://',
    'origins = ["https://host.login.example.org", "https://',
  ),
  'portal.certificate-key': (machine) =>
    machine.change('/etc/sallyport/portal.key', {}, machine.certificate.otherKey),
  'portal.key-closed': (machine) => machine.change('/etc/sallyport/portal.key', { gid: 0 }),
  'portal.user-gone': (machine) => {
    machine.accounts['sallyport-portal'] = undefined;
  },
  'portal.listen-elsewhere': config('[portal]\n', '[portal]\nlisten = "192.0.2.99:8443"\n'),
  'host.unresolved': (machine) => {
    machine.commands['getent -- ahosts login.example.org'] = { status: 2 };
  },
  'portal.localhost': config(webauthn, '[webauthn]\nrp_id = "localhost"\n\n'),
  'portal.no-relying-party': config(webauthn, ''),
};

async function idsOn(machine: FakeMachine): Promise<readonly string[]> {
  const examined = await examine(machine);
  return examined.flatMap(({ findings }) =>
    findings.flatMap((one) => (one.severity === 'ok' ? [] : [one.id])),
  );
}

test('on a machine without faults nothing is found, and every check reports what it examined', async () => {
  const examined = await examine(new FakeMachine());
  const wrong = examined.flatMap(({ findings }) => findings.filter(({ severity }) => severity !== 'ok'));
  assert.deepEqual(wrong, []);
  assert.deepEqual(
    examined.map(({ findings }) => findings.length),
    checks.map(() => 1),
  );
  assert.equal(worst(examined), 'ok');
  assert.ok(complete(examined));
});

/** Tested elsewhere: these need a check of their own. */
const apart: ReadonlySet<FindingId> = new Set(['check-too-slow']);

describe('a fault is found', () => {
  for (const id of findingIds.filter((one) => !apart.has(one)))
    test(id, async () => {
      const machine = new FakeMachine();
      breaks[id](machine);
      assert.ok((await idsOn(machine)).includes(id), `found: ${(await idsOn(machine)).join(', ')}`);
    });
});

test('the portal reads its key through a group of its own or one that it is in, and enters the directories above', async () => {
  const machine = new FakeMachine();
  machine.change('/etc/sallyport/portal.key', { gid: 104 });
  machine.groups['104'] = 'ssl-cert:x:104:sallyport-portal';
  assert.deepEqual(await idsOn(machine), []);
  machine.links['/etc/sallyport/portal.key'] = '/etc/live/portal.key';
  machine.change('/etc/live/portal.key', { mode: 0o640, gid: 997 });
  machine.change('/etc/live', { kind: 'directory', mode: 0o700 });
  assert.deepEqual(await idsOn(machine), ['portal.key-closed']);
});

test('a master key that sallyportd read since it was changed is no finding', async () => {
  const machine = new FakeMachine();
  breaks['key.changed'](machine);
  assert.deepEqual(await idsOn(machine), ['key.changed']);
  const keys = {
    file: systemPaths.masterKey,
    credential: false,
    current: 'b',
    ids: ['b', 'a'],
    rotation: { kind: 'done' } as const,
  };
  machine.statusNow = { ...machine.statusNow, keys: { ...keys, read: noon + 5 } };
  assert.deepEqual(await idsOn(machine), []);
  machine.statusNow = { ...machine.statusNow, keys: { ...keys, read: noon - 5 } };
  assert.deepEqual(await idsOn(machine), ['key.changed']);
});

test('an account with another uid is reported, whatever a rule allows', async () => {
  const machine = new FakeMachine();
  breaks['member.only-from'](machine);
  machine.explained = (user, service, from) =>
    user !== 'alice' || service !== 'sshd'
      ? {}
      : from === '192.0.2.1'
        ? { decision: 'refused', why: 'uid-changed' }
        : { decision: 'not-needed', why: 'rule-skip' };
  const found = await idsOn(machine);
  assert.ok(found.includes('member.uid-changed'), found.join(', '));
  assert.ok(!found.includes('member.only-from'), found.join(', '));
});

test('a socket that the module reaches through a link is the same one', async () => {
  const machine = new FakeMachine();
  breaks['pam.other-socket'](machine);
  machine.links['/run/other/pam.sock'] = systemPaths.pamSocket;
  assert.deepEqual(await idsOn(machine), []);
});

test('a stopped sallyportd is reported first, the rest is checked, and nothing of it is reported as passed', async () => {
  const machine = new FakeMachine();
  machine.away();
  machine.change(systemPaths.masterKey, { mode: 0o644 });
  const examined = await examine(machine);
  const [first] = examined;
  assert.deepEqual(
    first?.findings.map((one) => one.severity !== 'ok' && one.id),
    ['daemon.down'],
  );
  assert.ok((await idsOn(machine)).includes('mode.readable'));
  for (const name of ['store', 'master key', 'configuration', 'sockets', 'members']) {
    const findings = examined.find(({ check }) => check === name)?.findings ?? [];
    assert.ok(findings.length > 0, `${name} says nothing`);
    assert.ok(
      findings.every(({ severity }) => severity !== 'ok'),
      `${name} is called good`,
    );
  }
});

describe('unreadable parts', () => {
  test('are never reported as passed', async () => {
    const machine = new FakeMachine();
    machine.uid = 1000;
    machine.unseen = new Set(machine.things.keys());
    machine.commands = { 'sshd -T': { status: 255, stderr: 'no hostkeys available' }, ss: { status: 1 } };
    machine.statusError = new ControlError('not-permitted', 'root and its administrators may');
    const examined = await examine(machine);
    assert.ok(!complete(examined));
    for (const { check, findings } of examined) {
      const blind = findings.some((one) => one.severity !== 'ok' && one.id === 'not-checked');
      const good = findings.some(({ severity }) => severity === 'ok');
      assert.ok(!(blind && good), `${check} says both`);
    }
    const silent = ['daemon', 'store', 'master key', 'owners and modes', 'sockets', 'sshd', 'members'];
    for (const name of silent)
      assert.ok(
        examined.find(({ check }) => check === name)?.findings.every(({ severity }) => severity !== 'ok'),
        `${name} is called good`,
      );
  });

  test('a check that throws or hangs is a finding, and the others are reported', async () => {
    const bad = { id: 'bad', what: 'throws', run: () => Promise.reject(new Error('a defect')) };
    const slow = { id: 'slow', what: 'hangs', limit: 20, run: () => new Promise<never>(() => undefined) };
    const good = {
      id: 'good',
      what: 'is good',
      run: async () => [{ severity: 'ok', summary: 'fine' }] as const,
    };
    const examined = await examine(new FakeMachine(), [bad, slow, good]);
    assert.deepEqual(
      examined.map(({ findings: [one] }) => (one?.severity === 'ok' ? 'ok' : one?.id)),
      ['check-failed', 'check-too-slow', 'ok'],
    );
    assert.equal(worst(examined), 'warning');
  });
});
