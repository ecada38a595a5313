import * as v from 'valibot';
import { limits } from '../limits.ts';
import * as field from './fields.ts';
import { portalSchema } from './portal.ts';

/** The tables of sallyport.toml. Rules within realms and realms within the file are read one by one. */

const pathsSchema = v.strictObject(
  {
    store: v.optional(field.filePath),
    anchor: v.optional(field.filePath),
    master_key: v.optional(field.filePath),
    last_good: v.optional(field.filePath),
    pam_socket: v.optional(field.socketPath),
    pam_user_socket: v.optional(field.socketPath),
    control_socket: v.optional(field.socketPath),
    fido_socket: v.optional(field.socketPath),
    fido_helper: v.optional(field.filePath),
    password_socket: v.optional(field.socketPath),
    password_helper: v.optional(field.filePath),
    password_service_dir: v.optional(field.filePath),
  },
  'a table',
);

const auditSchema = v.strictObject(
  {
    max_age: v.optional(field.duration('1d', '3650d')),
    max_events: v.optional(field.wholeNumber(100, 100_000_000)),
    max_bytes: v.optional(field.size('1M', '1T')),
  },
  'a table',
);

const relyingPartySchema = v.strictObject(
  { rp_id: field.relyingPartyId, rp_name: v.optional(field.issuerName) },
  'a table',
);

export const documentSchema = v.strictObject(
  {
    paths: v.optional(pathsSchema),
    admin_group: v.optional(field.groupName),
    issuer: v.optional(field.issuerName),
    secrets_in: v.optional(field.listOf('PAM services', field.serviceName, 0)),
    webauthn: v.optional(relyingPartySchema),
    portal: v.optional(portalSchema),
    audit: v.optional(auditSchema),
    notify: v.optional(field.program),
    realm: v.optional(v.unknown()),
  },
  'a table',
);

const membersSchema = v.strictObject(
  {
    groups: v.optional(field.listOf('names of groups', field.groupName, 0)),
    users: v.optional(field.listOf('names of accounts', field.userName, 0)),
    domains: v.optional(field.listOf('domains', field.domainName, 0)),
    uids: v.optional(field.listOf('uids and ranges of uids', field.uidRange, 0)),
  },
  'a table',
);

const totpSchema = v.strictObject(
  {
    digits: v.optional(
      field.reads('6, 7 or 8', (input) => (input === 6 || input === 7 || input === 8 ? input : undefined)),
    ),
    period: v.optional(field.wholeNumber(limits.totpPeriod.least, limits.totpPeriod.most)),
    algorithm: v.optional(field.oneOf(['sha1', 'sha256', 'sha512'])),
    skew: v.optional(field.wholeNumber(0, 10)),
  },
  'a table',
);

const yubikeySchema = v.strictObject(
  {
    validation: v.optional(field.oneOf(['cloud', 'local'])),
    servers: v.optional(
      v.pipe(
        field.listOf('addresses of validation servers', field.serverUrl, 1),
        v.maxLength(limits.validationServers, `at most ${limits.validationServers} addresses`),
      ),
    ),
    client_id: v.optional(field.wholeNumber(1, 2 ** 32)),
    key_file: v.optional(field.filePath),
    ca_file: v.optional(field.filePath),
  },
  'a table',
);

const webauthnSchema = v.strictObject(
  {
    user_verification: v.optional(field.oneOf(['required', 'preferred', 'discouraged'])),
    resident_key: v.optional(field.oneOf(['required', 'discouraged'])),
    aaguids: v.optional(field.listOf('AAGUIDs of models', field.aaguid, 1)),
    metadata_file: v.optional(field.filePath),
  },
  'a table',
);

const lockoutSchema = v.strictObject(
  {
    max_code_failures: v.optional(field.wholeNumber(1, 100)),
    max_failures: v.optional(field.wholeNumber(1, 10_000)),
    duration: v.optional(field.duration('1m', '30d')),
  },
  'a table',
);

export const realmSchema = v.strictObject(
  {
    name: field.realmName,
    members: v.optional(membersSchema),
    require: field.requirement,
    enrol: v.optional(field.oneOf(['refuse', 'grace', 'at-login'])),
    grace: v.optional(field.duration('1s', '3650d')),
    grace_until: v.optional(field.moment),
    totp: v.optional(totpSchema),
    yubikey: v.optional(yubikeySchema),
    webauthn: v.optional(webauthnSchema),
    lockout: v.optional(lockoutSchema),
    su: v.optional(field.oneOf(['target', 'caller'])),
    observe: v.optional(v.boolean('true or false')),
    rule: v.optional(v.unknown()),
  },
  'a table',
);

export const ruleSchema = v.strictObject(
  {
    services: v.optional(field.listOf('PAM services', field.serviceName, 1)),
    from: v.optional(field.listOf('addresses, networks and "local"', field.source, 1)),
    action: field.action,
  },
  'a table',
);

/** What a key that must be there may hold, for where it is missing. */
export const mustBeThere: Readonly<Record<string, string>> = {
  name: 'a name for the realm',
  require: '"none", "any", or one or a list of "totp", "webauthn" and "yubikey"',
  rp_id: 'a domain that the portal and all hosts can share ("login.example.org")',
  action: field.actionAllowed,
  origins: 'a list of origins: ["https://login.example.org"]',
};

export type DocumentTable = v.InferOutput<typeof documentSchema>;
export type RealmTable = v.InferOutput<typeof realmSchema>;
export type RuleTable = v.InferOutput<typeof ruleSchema>;
