import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { describeProblem } from '../../../daemon/config/problem.ts';
import { bad, catchAll, good, onlyProblem } from './support.ts';

const realm = (body: string) =>
  `[[realm]]\nname = "staff"\nmembers = { users = ["a"] }\n${body}\n${catchAll}`;
const rule = (body: string) => realm(`require = "any"\n[[realm.rule]]\n${body}`);
const rules = (...bodies: string[]) =>
  realm(`require = "any"\n${bodies.map((body) => `[[realm.rule]]\n${body}`).join('\n')}`);

describe('a valid configuration', () => {
  it('has every default filled in', () => {
    assert.deepEqual(good(catchAll), {
      file: 'test.toml',
      paths: {
        store: '/var/lib/sallyport/store',
        anchor: '/var/lib/sallyport/anchor',
        masterKey: '/etc/sallyport/master.key',
        lastGood: '/var/lib/sallyport/last-good',
        pamSocket: '/run/sallyport/pam.sock',
        pamUserSocket: '/run/sallyport/pam-user.sock',
        controlSocket: '/run/sallyport/control.sock',
        fidoSocket: '/run/sallyport/fido.sock',
        passwordSocket: '/run/sallyport/password.sock',
      },
      adminGroup: 'sallyport-admin',
      issuer: 'host.example',
      secretsIn: [],
      audit: { keepForMs: 400 * 86_400_000, keepEvents: 1_000_000, keepBytes: 1024 ** 3 },
      realms: [
        {
          name: 'rest',
          line: 1,
          require: 'none',
          enrol: 'refuse',
          totp: { digits: 6, period: 30, algorithm: 'sha1', skew: 1 },
          yubikey: {},
          webauthn: { userVerification: 'discouraged', residentKey: false },
          lockout: { codes: 8, any: 100, forMs: 3_600_000 },
          su: 'target',
          observe: false,
          rules: [],
        },
      ],
    });
  });

  it('contains the services that may show secrets', () => {
    const { secretsIn } = good(`secrets_in = ["gdm-password", "sddm"]\n${catchAll}`);
    assert.deepEqual(secretsIn, ['gdm-password', 'sddm']);
  });

  it("contains the YubiKey validation service, Yubico's if no server is named", () => {
    const of = (yubikey: string) => good(realm(`require = "any"\nyubikey = ${yubikey}`)).realms[0]?.yubikey;
    assert.deepEqual(of('{ validation = "local" }'), { validation: 'local' });
    const servers = { clientId: '7', keyFile: '/etc/k' };
    assert.deepEqual(of('{ client_id = 7, key_file = "/etc/k" }'), {
      servers: { ...servers, urls: ['https://api.yubico.com/wsapi/2.0/verify'] },
    });
    const full =
      'servers = ["http://127.0.0.1:1/v"], client_id = 7, key_file = "/etc/k", ca_file = "/etc/ca"';
    assert.deepEqual(of(`{ validation = "cloud", ${full} }`), {
      validation: 'cloud',
      servers: { ...servers, urls: ['http://127.0.0.1:1/v'], caFile: '/etc/ca' },
    });
  });

  it('contains the relying party of security keys', () => {
    const of = (text: string) => good(`${text}${catchAll}`).webauthn;
    assert.equal(of(''), undefined);
    assert.deepEqual(of('issuer = "Us"\n[webauthn]\nrp_id = "login.example.org"\n'), {
      rpId: 'login.example.org',
      rpName: 'Us',
    });
    assert.deepEqual(of('[webauthn]\nrp_id = "localhost"\nrp_name = "Me"\n'), {
      rpId: 'localhost',
      rpName: 'Me',
    });
    for (const id of [
      '',
      'host',
      '192.0.2.1',
      '2001:db8::1',
      'Login.example.org',
      'a..b',
      '.a.b',
      'https://a.b',
    ]) {
      const [problem] = bad(`[webauthn]\nrp_id = "${id}"\n${catchAll}`);
      assert.equal(problem?.key, 'webauthn.rp_id', id);
    }
    assert.equal(bad(`[webauthn]\nrp_name = "x"\n${catchAll}`)[0]?.key, 'webauthn.rp_id');
  });

  it('contains which security keys a realm accepts', () => {
    const of = (text: string) => good(realm(`require = "any"\nwebauthn = ${text}`)).realms[0]?.webauthn;
    assert.deepEqual(of('{}'), { userVerification: 'discouraged', residentKey: false });
    const model = 'CB69481E-8ff7-4039-93ec-0a2729a154a8';
    assert.deepEqual(
      of(
        `{ user_verification = "required", resident_key = "required", aaguids = ["${model}"], metadata_file = "/m" }`,
      ),
      {
        userVerification: 'required',
        residentKey: true,
        models: { aaguids: [model.toLowerCase()], metadataFile: '/m' },
      },
    );
    const keys = (text: string) => bad(realm(`require = "any"\nwebauthn = ${text}`)).map(({ key }) => key);
    assert.deepEqual(keys(`{ aaguids = ["${model}"] }`), ['realm.webauthn.metadata_file']);
    assert.deepEqual(keys('{ metadata_file = "/m" }'), ['realm.webauthn.aaguids']);
    assert.deepEqual(keys('{ aaguids = [], metadata_file = "/m" }'), ['realm.webauthn.aaguids']);
    const nobody = '00000000-0000-0000-0000-000000000000';
    assert.deepEqual(keys(`{ aaguids = ["${nobody}"], metadata_file = "/m" }`), ['realm.webauthn.aaguids']);
    assert.deepEqual(keys('{ user_verification = "yes" }'), ['realm.webauthn.user_verification']);
  });

  it('accepts ssh-sk rules in realms that accept security keys, for every service too', () => {
    for (const require of ['"none"', '"any"', '"webauthn"', '["totp", "webauthn"]'])
      for (const [body, part] of [
        ['', {}],
        ['services = ["sudo", "sshd"]\n', { services: ['sudo', 'sshd'] }],
        ['from = ["local", "::1"]\n', undefined],
      ] as const) {
        const text = `require = ${require}\n[[realm.rule]]\n${body}action = { accept = "ssh-sk" }`;
        const [read] = good(realm(text)).realms[0]?.rules ?? [];
        assert.deepEqual(read?.action, { kind: 'accept', factor: 'ssh-sk' });
        if (part !== undefined) assert.deepEqual(read, { line: 5, action: read.action, ...part });
      }
  });

  it('contains what the file says', () => {
    const config = good(`
admin_group = "wheel"
issuer = "Example"
[audit]
max_age = "30d"
max_events = 5000
[[realm]]
name    = "staff"
members = { groups = ["staff"], users = [], domains = ["Corp.Example"], uids = ["1000-59999", "7", 8] }
require = ["totp", "webauthn"]
enrol   = "grace"
grace   = "14d"
totp    = { digits = 8, period = 60, algorithm = "sha512", skew = 0 }
lockout = { max_code_failures = 3, max_failures = 30, duration = "15m" }
su      = "caller"

  [[realm.rule]]
  services = ["sshd", "sudo"]
  from     = ["10.0.0.0/8", "local", "::FFFF:192.0.2.0/120"]
  action   = { remember = "15m" }
  [[realm.rule]]
  action   = "refuse"
${catchAll}`);
    assert.equal(config.adminGroup, 'wheel');
    assert.equal(config.issuer, 'Example');
    assert.deepEqual(config.audit, {
      keepForMs: 30 * 86_400_000,
      keepEvents: 5000,
      keepBytes: 1024 ** 3,
    });
    assert.equal(good(`[audit]\nmax_bytes = "64M"\n${catchAll}`).audit.keepBytes, 64 * 1024 ** 2);
    assert.deepEqual(good(`notify = ["/bin/tell", "a b"]\n${catchAll}`).notify, ['/bin/tell', 'a b']);
    assert.deepEqual(config.realms[0], {
      name: 'staff',
      line: 7,
      members: {
        groups: ['staff'],
        users: [],
        domains: ['corp.example'],
        uids: [
          { first: 1000, last: 59_999 },
          { first: 7, last: 7 },
          { first: 8, last: 8 },
        ],
      },
      require: ['totp', 'webauthn'],
      enrol: 'grace',
      graceMs: 14 * 86_400_000,
      totp: { digits: 8, period: 60, algorithm: 'sha512', skew: 0 },
      yubikey: {},
      webauthn: { userVerification: 'discouraged', residentKey: false },
      lockout: { codes: 3, any: 30, forMs: 900_000 },
      su: 'caller',
      observe: false,
      rules: [
        {
          line: 17,
          services: ['sshd', 'sudo'],
          from: [
            { kind: 'network', family: 'ipv4', address: '10.0.0.0', prefix: 8 },
            { kind: 'local' },
            { kind: 'network', family: 'ipv4', address: '192.0.2.0', prefix: 24 },
          ],
          action: { kind: 'remember', forMs: 900_000 },
        },
        { line: 21, action: { kind: 'refuse' } },
      ],
    });
  });

  it('survives JSON unchanged, for `realm show --json`', () => {
    const config = good(rule('action = "skip"\nfrom = ["::1"]'));
    assert.deepEqual(JSON.parse(JSON.stringify(config)), config);
  });

  it('accepts a single requirement as a list of one', () => {
    assert.deepEqual(good(realm('require = "totp"')).realms[0]?.require, ['totp']);
    assert.deepEqual(good(realm('require = ["yubikey"]')).realms[0]?.require, ['yubikey']);
    assert.equal(good(realm('require = "any"')).realms[0]?.require, 'any');
  });

  it('reads a date as its first moment in UTC, and a time with its offset', () => {
    const until = (date: string) =>
      good(realm(`require = "any"\nenrol = "grace"\ngrace_until = ${date}`)).realms[0]?.graceUntil;
    assert.equal(until('2027-01-31'), Date.UTC(2027, 0, 31));
    assert.equal(until('2027-01-31T12:00:00+02:00'), Date.UTC(2027, 0, 31, 10));
    assert.equal(until('2027-01-31 12:00:00Z'), Date.UTC(2027, 0, 31, 12));
  });

  it('contains the helper for passwords', () => {
    const of = (text: string) => good(`[paths]\n${text}\n${catchAll}`).paths;
    assert.equal(of('password_socket = "/run/x/p.sock"').passwordSocket, '/run/x/p.sock');
    const { passwordHelper, passwordServiceDir } = of('password_helper = "/p"\npassword_service_dir = "/d"');
    assert.deepEqual([passwordHelper, passwordServiceDir], ['/p', '/d']);
    assert.equal(of('password_helper = "/p"').passwordServiceDir, undefined);
  });

  it('derives the user socket from the root socket', () => {
    assert.equal(
      good(`paths.pam_socket = "/run/x/p.sock"\n${catchAll}`).paths.pamUserSocket,
      '/run/x/pam-user.sock',
    );
  });
});

/** [what is wrong, text, line, key, found, allowed, message] */
type Row = [string, string, number, string, RegExp, RegExp, RegExp?];

const rows: Row[] = [
  ['no realm', 'issuer = "x"', 1, 'realm', /nothing/, /\[\[realm\]\]/],
  ['realm is no list', 'realm = 5', 1, 'realm', /5/, /\[\[realm\]\]/],
  [
    'secrets_in is no list',
    `secrets_in = "sudo"\n${catchAll}`,
    1,
    'secrets_in',
    /"sudo"/,
    /list of PAM services/,
  ],
  [
    'a service in capitals in secrets_in',
    `secrets_in = ["Gdm"]\n${catchAll}`,
    1,
    'secrets_in',
    /"Gdm"/,
    /in lower case/,
  ],
  ['a table that is none', `paths = "x"\n${catchAll}`, 1, 'paths', /"x"/, /a table/],
  ['a list as a table', `paths = []\n${catchAll}`, 1, 'paths', /\[\]/, /a table/],
  [
    'unknown key on top',
    `issuerr = "x"\n${catchAll}`,
    1,
    'issuerr',
    /issuerr/,
    /issuer/,
    /did you mean "issuer"/,
  ],
  [
    'unknown key in [paths]',
    `[paths]\nmaster-key = "/k"\n${catchAll}`,
    2,
    'paths.master-key',
    /master-key/,
    /master_key/,
    /"master_key"/,
  ],
  ['unknown key far from any', `zzz = 1\n${catchAll}`, 1, 'zzz', /zzz/, /paths/, /^$/],
  [
    'unknown key in a realm',
    realm('require = "any"\nrequires = 1'),
    5,
    'realm.requires',
    /requires/,
    /require/,
    /"require"/,
  ],
  [
    'unknown key in members',
    `[[realm]]\nname="s"\nrequire="any"\nmembers = { group = ["a"] }\n${catchAll}`,
    4,
    'realm.members.group',
    /group/,
    /groups/,
    /"groups"/,
  ],
  [
    'unknown key in totp',
    realm('require = "any"\n[realm.totp]\nwindow = 3'),
    6,
    'realm.totp.window',
    /window/,
    /skew/,
  ],
  [
    'unknown key in lockout',
    realm('require = "any"\nlockout = { max_code_failure = 3 }'),
    5,
    'realm.lockout.max_code_failure',
    /code/,
    /max_failures/,
    /"max_code_failures"/,
  ],
  [
    'unknown key in a rule',
    rule('action = "ask"\nservice = ["x"]'),
    7,
    'realm.rule.service',
    /service/,
    /services/,
    /"services"/,
  ],
  [
    'relative path',
    `[paths]\nstore = "var/store"\n${catchAll}`,
    2,
    'paths.store',
    /"var\/store"/,
    /absolute/,
  ],
  [
    'path with dots',
    `[paths]\nstore = "/var/../store"\n${catchAll}`,
    2,
    'paths.store',
    /\.\./,
    /without "\.\."/,
  ],
  ['path that is a number', `[paths]\nanchor = 7\n${catchAll}`, 2, 'paths.anchor', /7/, /absolute/],
  [
    'socket path of 108 bytes',
    `[paths]\n\ncontrol_socket = "/${'s'.repeat(107)}"\n${catchAll}`,
    3,
    'paths.control_socket',
    /sss/,
    /107 bytes; this one has 108/,
  ],
  [
    'user socket elsewhere',
    `[paths]\npam_user_socket = "/run/other/pam-user.sock"\n${catchAll}`,
    2,
    'paths.pam_user_socket',
    /other/,
    /"\/run\/sallyport\/pam-user\.sock"/,
    /socket=/,
  ],
  [
    'user socket of another name',
    `[paths]\npam_user_socket = "/run/sallyport/user.sock"\n${catchAll}`,
    2,
    'paths.pam_user_socket',
    /user\.sock/,
    /pam-user\.sock/,
  ],
  [
    'a stack for passwords that no program reads',
    `[paths]\npassword_service_dir = "/srv/pam.d"\n${catchAll}`,
    2,
    'paths.password_service_dir',
    /"\/srv\/pam\.d"/,
    /password_helper as well/,
    /that of the system/,
  ],
  [
    'a socket for passwords in the place of another',
    `[paths]\npassword_socket = "/run/sallyport/fido.sock"\n${catchAll}`,
    2,
    'paths.password_socket',
    /fido\.sock/,
    /separate path/,
    /paths\.fido_socket/,
  ],
  [
    'two sockets in one place',
    `[paths]\ncontrol_socket = "/run/sallyport/pam.sock"\n${catchAll}`,
    2,
    'paths.control_socket',
    /pam\.sock/,
    /separate path/,
    /paths\.pam_socket/,
  ],
  [
    'anchor inside the store',
    `[paths]\nanchor = "/var/lib/sallyport/store/anchor"\n${catchAll}`,
    2,
    'paths.anchor',
    /anchor/,
    /outside/,
  ],
  ['empty group name', `admin_group = ""\n${catchAll}`, 1, 'admin_group', /""/, /group/],
  ['group as sudo writes it', `admin_group = "%wheel"\n${catchAll}`, 1, 'admin_group', /%wheel/, /without/],
  ['issuer with a colon', `issuer = "a:b"\n${catchAll}`, 1, 'issuer', /a:b/, /":"/],
  [
    'audit.max_age without a unit',
    `[audit]\nmax_age = "400"\n${catchAll}`,
    2,
    'audit.max_age',
    /"400"/,
    /"14d"/,
  ],
  [
    'audit.max_age too short',
    `[audit]\nmax_age = "1h"\n${catchAll}`,
    2,
    'audit.max_age',
    /"1h"/,
    /from "1d"/,
  ],
  [
    'audit.max_events too few',
    `[audit]\nmax_events = 99\n${catchAll}`,
    2,
    'audit.max_events',
    /99/,
    /from 100 /,
  ],
  [
    'audit.max_bytes too small',
    `[audit]\nmax_bytes = "1K"\n${catchAll}`,
    2,
    'audit.max_bytes',
    /"1K"/,
    /from "1M" to "1T"/,
  ],
  [
    'audit.max_bytes as a number',
    `[audit]\nmax_bytes = 1000000\n${catchAll}`,
    2,
    'audit.max_bytes',
    /1000000/,
    /"64M"/,
  ],
  [
    'notify without a whole path',
    `notify = ["mail", "root"]\n${catchAll}`,
    1,
    'notify',
    /mail/,
    /whole path/,
  ],
  [
    'notify as a shell would take it',
    `notify = "/usr/bin/mail root"\n${catchAll}`,
    1,
    'notify',
    /mail/,
    /a list/,
  ],
  ['no name', `[[realm]]\nrequire = "none"`, 1, 'realm.name', /nothing/, /name/],
  ['bad name', `[[realm]]\nname = "a b"\nrequire = "none"`, 2, 'realm.name', /"a b"/, /letters/],
  ['no require', `[[realm]]\nname = "x"`, 1, 'realm.require', /nothing/, /"any"/],
  [
    'no catch-all',
    '\n[[realm]]\nname = "x"\nrequire = "any"\nmembers = { users = ["a"] }',
    2,
    'realm',
    /with members/,
    /without members/,
  ],
  [
    'a realm behind the catch-all',
    `${catchAll}[[realm]]\nname = "x"\nrequire = "any"\nmembers = { users = ["a"] }`,
    4,
    'realm',
    /behind/,
    /last/,
    /line 1/,
  ],
  [
    'a second catch-all',
    `${catchAll}[[realm]]\nname = "x"\nrequire = "any"`,
    4,
    'realm',
    /behind/,
    /last/,
    /line 1/,
  ],
  [
    'two realms of one name',
    `[[realm]]\nname = "rest"\nrequire = "any"\nmembers = { users = ["a"] }\n${catchAll}`,
    6,
    'realm.name',
    /"rest"/,
    /unique name/,
    /line 1/,
  ],
  [
    'members without any',
    `[[realm]]\nname = "x"\nrequire = "any"\nmembers = {}\n${catchAll}`,
    4,
    'realm.members',
    /\{\}/,
    /at least one/,
    /no member/,
  ],
  [
    'members with empty lists',
    `[[realm]]\nname = "x"\nrequire = "any"\nmembers = { groups = [], users = [] }\n${catchAll}`,
    4,
    'realm.members',
    /groups = \[\]/,
    /at least one/,
  ],
  [
    'a user that is a number',
    `[[realm]]\nname = "x"\nrequire = "any"\nmembers.users = ["a",\n 5]\n${catchAll}`,
    5,
    'realm.members.users',
    /5/,
    /account/,
  ],
  [
    'a domain with @',
    `[[realm]]\nname = "x"\nrequire = "any"\nmembers.domains = ["@corp"]\n${catchAll}`,
    4,
    'realm.members.domains',
    /@corp/,
    /domain/,
  ],
  ...['"x"', '"9-3"', '"-5"', '"1-"', '"1 - 2"', '"01"', '-1', '1.5', '"4294967295"', '"0-4294967295"'].map(
    (uid): Row => [
      `uid ${uid}`,
      `[[realm]]\nname = "x"\nrequire = "any"\nmembers.uids = [${uid}]\n${catchAll}`,
      4,
      'realm.members.uids',
      /./,
      /range/,
    ],
  ),
  ...['[]', '"sms"', '["totp", "sms"]', '["totp", "totp"]', '["none"]', '["any", "totp"]', '5', '{}'].map(
    (value): Row => [
      `require = ${value}`,
      realm(`require = ${value}`),
      4,
      'realm.require',
      /./,
      /"none", "any".*"totp", "webauthn" and "yubikey"/,
    ],
  ),
  [
    'enrol that is none',
    realm('require = "any"\nenrol = "soon"'),
    5,
    'realm.enrol',
    /soon/,
    /"refuse", "grace", "at-login"/,
  ],
  [
    'enrol misspelt',
    realm('require = "any"\nenrol = "gracious"'),
    5,
    'realm.enrol',
    /gracious/,
    /"refuse", "grace"/,
  ],
  [
    'grace without its end',
    realm('require = "any"\nenrol = "grace"'),
    5,
    'realm.enrol',
    /without/,
    /grace_until/,
  ],
  [
    'both ends',
    realm('require = "any"\nenrol = "grace"\ngrace = "1d"\ngrace_until = 2027-01-01'),
    7,
    'realm.grace_until',
    /grace/,
    /not both/,
  ],
  [
    'an end without enrol = grace',
    realm('require = "any"\ngrace = "1d"'),
    5,
    'realm.grace',
    /"1d"/,
    /nothing/,
    /enrol = "grace"/,
  ],
  [
    'a date without enrol = grace',
    realm('require = "any"\nenrol = "refuse"\ngrace_until = 2027-01-01'),
    6,
    'realm.grace_until',
    /2027/,
    /nothing/,
  ],
  [
    'grace without a unit',
    realm('require = "any"\nenrol = "grace"\ngrace = 14'),
    6,
    'realm.grace',
    /14/,
    /"14d"/,
  ],
  [
    'grace_until as text',
    realm('require = "any"\nenrol = "grace"\ngrace_until = "2027-01-01"'),
    6,
    'realm.grace_until',
    /"2027/,
    /a date/,
  ],
  [
    'grace_until without an offset',
    realm('require = "any"\nenrol = "grace"\ngrace_until = 2027-01-01T10:00:00'),
    6,
    'realm.grace_until',
    /2027/,
    /offset/,
  ],
  [
    'grace_until as a time',
    realm('require = "any"\nenrol = "grace"\ngrace_until = 10:00:00'),
    6,
    'realm.grace_until',
    /10:00/,
    /date/,
  ],
  ...(
    [
      ['digits', '5'],
      ['digits', '9'],
      ['digits', '"6"'],
      ['period', '14'],
      ['period', '301'],
      ['period', '30.5'],
      ['algorithm', '"SHA1"'],
      ['algorithm', '"md5"'],
      ['skew', '-1'],
      ['skew', '11'],
    ] as const
  ).map(
    ([key, value]): Row => [
      `totp.${key} = ${value}`,
      realm(`require = "any"\ntotp = { ${key} = ${value} }`),
      5,
      `realm.totp.${key}`,
      /./,
      /./,
    ],
  ),
  ...(
    [
      ['max_code_failures', '0'],
      ['max_code_failures', '101'],
      ['max_failures', '0'],
      ['max_failures', '10001'],
      ['duration', '"59s"'],
      ['duration', '"31d"'],
      ['duration', '3600'],
    ] as const
  ).map(
    ([key, value]): Row => [
      `lockout.${key} = ${value}`,
      realm(`require = "any"\nlockout.${key} = ${value}`),
      5,
      `realm.lockout.${key}`,
      /./,
      /from/,
    ],
  ),
  [
    'servers without a client',
    realm('require = "any"\nyubikey = { servers = ["https://yk.example/verify"], key_file = "/k" }'),
    5,
    'realm.yubikey.client_id',
    /nothing/,
    /client_id and key_file together/,
  ],
  [
    'cloud without a key',
    realm('require = "any"\nyubikey = { validation = "cloud", client_id = 7 }'),
    5,
    'realm.yubikey.key_file',
    /nothing/,
    /client_id and key_file together/,
  ],
  [
    'a server that is no address',
    realm('require = "any"\nyubikey = { servers = ["yk.example?x=1"], client_id = 7, key_file = "/k" }'),
    5,
    'realm.yubikey.servers',
    /yk\.example/,
    /https:\/\/ or http:\/\//,
  ],
  [
    'another validation',
    realm('require = "any"\nyubikey = { validation = "both" }'),
    5,
    'realm.yubikey.validation',
    /both/,
    /"cloud", "local"/,
  ],
  [
    'max_failures below max_code_failures',
    realm('require = "any"\nlockout = { max_code_failures = 9, max_failures = 8 }'),
    5,
    'realm.lockout.max_failures',
    /8/,
    /at least as high/,
  ],
  [
    'max_failures below the default of max_code_failures',
    realm('require = "any"\nlockout = { max_failures = 7 }'),
    5,
    'realm.lockout.max_failures',
    /7/,
    /max_code_failures is 8/,
  ],
  [
    'observe that is no yes or no',
    realm('require = "any"\nobserve = "yes"'),
    5,
    'realm.observe',
    /yes/,
    /true or false/,
  ],
  ['su misspelt', realm('require = "any"\nsu = "root"'), 5, 'realm.su', /root/, /"target", "caller"/],
  ['rule is no list', realm('require = "any"\nrule = 5'), 5, 'realm.rule', /5/, /\[\[realm\.rule\]\]/],
  ['rule without action', rule('services = ["sshd"]'), 5, 'realm.rule.action', /nothing/, /"skip"/],
  ['no service', rule('services = []\naction = "ask"'), 6, 'realm.rule.services', /\[\]/, /at least one/],
  [
    'service in capitals',
    rule('services = ["SSHD"]\naction = "ask"'),
    6,
    'realm.rule.services',
    /SSHD/,
    /lower case/,
  ],
  [
    'service with a path',
    rule('services = ["/etc/pam.d/sshd"]\naction = "ask"'),
    6,
    'realm.rule.services',
    /pam\.d/,
    /PAM service/,
  ],
  [
    'service of 65 letters',
    rule(`services = ["${'s'.repeat(65)}"]\naction = "ask"`),
    6,
    'realm.rule.services',
    /sss/,
    /up to 64/,
  ],
  ['from nowhere', rule('from = []\naction = "ask"'), 6, 'realm.rule.from', /\[\]/, /at least one/],
  ['from as text', rule('from = "10.0.0.0/8"\naction = "ask"'), 6, 'realm.rule.from', /10\.0/, /a list/],
  [
    'from a name',
    rule('from = ["local",\n"host.example"]\naction = "ask"'),
    7,
    'realm.rule.from',
    /host\.example/,
    /names are not looked up/,
  ],
  [
    'from with host bits',
    rule('from = ["10.1.2.3/8"]\naction = "ask"'),
    6,
    'realm.rule.from',
    /10\.1\.2\.3/,
    /"10\.0\.0\.0\/8".*"10\.1\.2\.3"/,
  ],
  [
    'from with a netmask',
    rule('from = ["10.0.0.0/255.0.0.0"]\naction = "ask"'),
    6,
    'realm.rule.from',
    /255/,
    /network/,
  ],
  ...['"allow"', '5', '{}', '{ forget = "1h" }'].map(
    (value): Row => [
      `action = ${value}`,
      rule(`action = ${value}`),
      6,
      'realm.rule.action',
      /./,
      /"skip", "ask", "refuse", \{ remember = "15m" \} or \{ accept = "ssh-sk" \}/,
    ],
  ),
  ...['{ accept = "totp" }', '{ accept = true }', '{ accept = "ssh-sk", remember = "1h" }'].map(
    (value): Row => [
      `action = ${value}`,
      rule(`action = ${value}`),
      6,
      'realm.rule.action',
      /accept/,
      /only \{ accept = "ssh-sk" \}/,
    ],
  ),
  ...(
    [
      ['"totp"', 'totp'],
      ['"yubikey"', 'yubikey'],
      ['["totp", "yubikey"]', 'totp or yubikey'],
    ] as const
  ).map(
    ([require, named]): Row => [
      `accept where require = ${require}`,
      realm(`require = ${require}\n[[realm.rule]]\nservices = ["sshd"]\naction = { accept = "ssh-sk" }`),
      7,
      'realm.rule.action',
      /accept = "ssh-sk"/,
      /"none" or "any", or has "webauthn"/,
      new RegExp(`requires ${named}, and ssh-sk satisfies only webauthn`),
    ],
  ),
  [
    'accept where only certain models are allowed',
    realm(
      'require = "webauthn"\nwebauthn = { aaguids = ["2fc0579f-8113-47ea-b116-bb5a8db9202a"], metadata_file = "/m" }\n[[realm.rule]]\naction = { accept = "ssh-sk" }',
    ),
    7,
    'realm.rule.action',
    /accept = "ssh-sk"/,
    /without webauthn\.aaguids/,
    /does not state its model/,
  ],
  [
    'accept for services without sshd',
    rule('action = { accept = "ssh-sk" }\nservices = ["sudo",\n"sshd-x"]'),
    7,
    'realm.rule.services',
    /sudo/,
    /"sshd" among them, or no services/,
    /could never accept/,
  ],
  [
    'accept for the portal',
    rule('services = ["sallyport-portal"]\naction = { accept = "ssh-sk" }'),
    6,
    'realm.rule.services',
    /sallyport-portal/,
    /"sshd" among them/,
  ],
  [
    'accept from nowhere but this machine',
    rule('services = ["sshd"]\nfrom = ["local"]\naction = { accept = "ssh-sk" }'),
    7,
    'realm.rule.from',
    /local/,
    /an address or a network, or no from/,
    /never local/,
  ],
  [
    'remember without a time',
    rule('action = { remember = 15 }'),
    6,
    'realm.rule.action',
    /15/,
    /remember = a time/,
  ],
  ['remember too long', rule('action = { remember = "31d" }'), 6, 'realm.rule.action', /31d/, /"30d"/],
  [
    'remember and more',
    rule('action = { remember = "1h", accept = "x" }'),
    6,
    'realm.rule.action',
    /remember/,
    /only \{ accept = "ssh-sk" \}/,
  ],
  [
    'a covered rule',
    rules('action = "ask"', 'services = ["sshd"]\naction = "skip"'),
    7,
    'realm.rule',
    /never match/,
    /leave over/,
    /line 5 comes first/,
  ],
  ['no TOML', `issuer = "x"\n[[realm]\n`, 2, '(syntax)', /\[\[realm\]/, /TOML/],
  ['a key twice', `issuer = "x"\nissuer = "y"\n`, 2, '(syntax)', /issuer/, /TOML/, /redefine/],
];

describe('an invalid configuration', () => {
  for (const [what, text, line, key, found, allowed, message = /^/] of rows) {
    it(`names file, line, key, what was found and what is allowed: ${what}`, () => {
      const problem = onlyProblem(text);
      assert.equal(problem.file, 'test.toml');
      assert.equal(problem.line, line, describeProblem(problem));
      assert.equal(problem.key, key);
      assert.match(problem.found, found);
      assert.match(problem.allowed, allowed);
      assert.match(problem.message, message);
    });
  }

  it('names all problems at once, in the order of the file', () => {
    const problems = bad(`isuer = "x"
addmin_group = "y"
[[realm]]
name = "a"
members = {}
require = []
enrol = "soon"
totp = { digits = 5, skew = 99, wndow = 1 }
  [[realm.rule]]
  services = []
  action = "allow"
  [[realm.rule]]
  from = ["x", "y"]
  action = "ask"
[[realm]]
name = "a"
require = "sms"
members = { users = ["b"] }`);
    assert.deepEqual(
      problems.map(({ line, key }) => `${line} ${key}`),
      [
        '1 isuer',
        '2 addmin_group',
        '5 realm.members',
        '6 realm.require',
        '7 realm.enrol',
        '8 realm.totp.wndow',
        '8 realm.totp.digits',
        '8 realm.totp.skew',
        '10 realm.rule.services',
        '11 realm.rule.action',
        '13 realm.rule.from',
        '13 realm.rule.from',
        '15 realm',
        '16 realm.name',
        '17 realm.require',
      ],
    );
  });

  it('shows the found value on one line, short and without control characters', () => {
    const problem = onlyProblem(`issuer = "\\u001b[2J\\n\\u009b${':'.repeat(500)}"\n${catchAll}`);
    const line = describeProblem(problem);
    assert.doesNotMatch(line, /[\p{Cc}]/u);
    assert.ok(problem.found.length <= 80);
    assert.match(line, /^test\.toml:1: issuer: found "\\u001b.*; allowed: .*":"/);
  });

  it('accepts a socket path of 107 bytes', () => {
    good(`[paths]\ncontrol_socket = "/${'s'.repeat(106)}"\n${catchAll}`);
  });
});
