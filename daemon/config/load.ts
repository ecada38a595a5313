import { readFile } from 'node:fs/promises';
import { parse, TomlError } from 'smol-toml';
import * as v from 'valibot';
import { messageOf, SallyportError } from '../lib/errors.ts';
import { nearest } from '../lib/nearest.ts';
import { checkPaths, checkRealm, checkRealms, checkRules, type Placed } from './check.ts';
import { checkAccepts } from './check-accept.ts';
import type { Config, PortalConfig, Realm, Rule } from './contract.ts';
import { defaultAdminGroup, defaults, pathsOf } from './defaults.ts';
import { asWritten, withCurrentNames } from './former-settings.ts';
import { type KeyPath, locate } from './locate.ts';
import { checkPortal, type PortalTable } from './portal.ts';
import { type ConfigProblem, formatValue, printableKey, type Report } from './problem.ts';
import {
  type DocumentTable,
  documentSchema,
  mustBeThere,
  type RealmTable,
  type RuleTable,
  realmSchema,
  ruleSchema,
} from './schema.ts';
import { isTable, namesOf, strangeKeys, type TableShape, type UnknownSetting } from './unknown-settings.ts';

export type ParsedConfig =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

/**
 * The configuration, or everything that is wrong with it. Pure.
 * @param file named in problems and in `explain`
 * @param host the issuer where the file names none
 */
export function parseConfig(text: string, file: string, host: string): ParsedConfig {
  let written: unknown;
  try {
    written = parse(text);
  } catch (error) {
    return { ok: false, problems: [syntaxProblem(error, text, file)] };
  }
  const problems = new Map<string, ConfigProblem>();
  const lines = locate(text);
  const { document: raw, former } = withCurrentNames(written);
  const report: Report = {
    lines,
    add(named, found, allowed, message = '') {
      const path = asWritten(named, former);
      const id = JSON.stringify(path);
      if (problems.has(id)) return;
      problems.set(id, { file, line: lines.lineOf(path), key: keyText(path), found, allowed, message });
    },
  };
  for (const { path, value, current } of former.filter(({ isDoubled }) => isDoubled))
    report.add(path, formatValue(value), `only ${current}`, `the former name of ${current}, beside it`);
  const document = readTable(documentSchema, raw, [], report);
  if (document !== undefined) checkPaths(document, report);
  checkPortal(raw, report);
  const realms = readRealms(isTable(raw) ? raw.realm : undefined, report);
  if (problems.size > 0 || document === undefined) {
    return { ok: false, problems: [...problems.values()].sort((a, b) => a.line - b.line) };
  }
  const config = configOf(document, realms, file, host);
  if (former.length === 0) return { ok: true, config };
  const deprecated = former.map(
    ({ path, current }) =>
      `${file}:${lines.lineOf(path)}: ${keyText(path)} is deprecated and will be removed in the next release; use: ${current}`,
  );
  return { ok: true, config: { ...config, deprecated } };
}

/** Reads and parses; a file that cannot be read is an error, a bad one is a list of problems. */
export async function readConfig(file: string, host: string): Promise<ParsedConfig> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new SallyportError(
      'config-unreadable',
      `the configuration ${file} cannot be read (${messageOf(error)}); ` +
        'name another file with --config, or let `sallyport init` write one',
      { cause: error },
    );
  }
  return parseConfig(text, file, host);
}

function readRealms(raw: unknown, report: Report): Realm[] {
  const allowed = '[[realm]] tables, the last of them without members';
  if (!Array.isArray(raw) || raw.length === 0) {
    report.add(['realm'], formatValue(raw), allowed);
    return [];
  }
  const realms = raw.flatMap((entry: unknown, index): Realm[] => {
    const path = ['realm', index];
    const table = readTable(realmSchema, entry, path, report);
    checkRealm(entry, path, report);
    const rules = readRules(isTable(entry) ? entry.rule : undefined, [...path, 'rule'], report);
    checkRules(rules, report);
    if (table !== undefined) checkAccepts(table, rules, report);
    return table === undefined ? [] : [realmOf(table, rules, report.lines.lineOf(path))];
  });
  checkRealms(raw, report);
  return realms;
}

function readRules(raw: unknown, path: KeyPath, report: Report): Placed<Rule>[] {
  if (raw === undefined) return [];
  if (!Array.isArray(raw)) {
    report.add(path, formatValue(raw), '[[realm.rule]] tables');
    return [];
  }
  return raw.flatMap((entry: unknown, index) => {
    const place = [...path, index];
    const table = readTable(ruleSchema, entry, place, report);
    return table === undefined ? [] : [{ item: ruleOf(table, report.lines.lineOf(place)), path: place }];
  });
}

function readTable<S extends v.GenericSchema & TableShape>(
  schema: S,
  raw: unknown,
  path: KeyPath,
  report: Report,
): v.InferOutput<S> | undefined {
  for (const strange of strangeKeys(schema, raw, path)) reportStrange(strange, raw, path, report);
  const result = v.safeParse(schema, raw);
  if (result.success) return result.output;
  for (const issue of result.issues) {
    const inside = (issue.path ?? []).map((item) => item.key as string | number);
    const last = inside.at(-1);
    if (issue.type === 'strict_object' && issue.expected === 'never') continue;
    const isMissing = issue.type === 'strict_object' && issue.expected !== 'Object';
    const allowed = isMissing ? (mustBeThere[String(last)] ?? 'a value') : issue.message;
    report.add([...path, ...inside], formatValue(issue.input), allowed);
  }
  return undefined;
}

function reportStrange(strange: UnknownSetting, raw: unknown, above: KeyPath, report: Report): void {
  if (strange.kind === 'not-a-table') {
    const found = strange.path
      .slice(above.length)
      .reduce<unknown>((at, key) => (isTable(at) ? at[key] : at), raw);
    report.add(strange.path, formatValue(found), 'a table');
    return;
  }
  const name = String(strange.path.at(-1));
  const near = nearest(name, strange.known);
  const message = near === undefined ? '' : `did you mean "${near}"?`;
  report.add(strange.path, `the unknown key ${printableKey(name)}`, namesOf(strange.known), message);
}

/** Keys as a reader looks them up: places in lists are left out, the line tells which one. */
function keyText(path: KeyPath): string {
  return path.flatMap((key) => (typeof key === 'string' ? [printableKey(key)] : [])).join('.');
}

function syntaxProblem(error: unknown, text: string, file: string): ConfigProblem {
  const line = error instanceof TomlError ? error.line : 1;
  const why = messageOf(error).split('\n')[0] ?? '';
  const found = formatValue(text.split('\n')[line - 1]?.trim() ?? '');
  return { file, line, key: '(syntax)', found, allowed: 'TOML', message: why };
}

function configOf(document: DocumentTable, realms: readonly Realm[], file: string, host: string): Config {
  return {
    file,
    paths: pathsOf(document.paths ?? {}),
    adminGroup: document.admin_group ?? defaultAdminGroup,
    issuer: document.issuer ?? host,
    secretsIn: document.secrets_in ?? [],
    ...(document.webauthn !== undefined && {
      webauthn: {
        rpId: document.webauthn.rp_id,
        rpName: document.webauthn.rp_name ?? document.issuer ?? host,
      },
    }),
    ...(document.portal !== undefined && { portal: portalOf(document.portal, document.issuer ?? host) }),
    ...(document.notify !== undefined && { notify: document.notify }),
    audit: {
      keepForMs: document.audit?.max_age ?? defaults.auditKeepForMs,
      keepEvents: document.audit?.max_events ?? defaults.auditKeepEvents,
      keepBytes: document.audit?.max_bytes ?? defaults.auditKeepBytes,
    },
    realms,
  };
}

function portalOf(table: PortalTable, issuer: string): PortalConfig {
  const { cert_file: certFile, key_file: keyFile } = table;
  return {
    origins: table.origins,
    listen: table.listen ?? defaults.portal.listen,
    ...(certFile !== undefined && keyFile !== undefined && { tls: { certFile, keyFile } }),
    proxies: table.proxies ?? [],
    name: table.name ?? issuer,
    user: table.user ?? defaults.portal.user,
  };
}

function realmOf(table: RealmTable, rules: readonly Placed<Rule>[], line: number): Realm {
  const { members, totp, lockout } = table;
  return {
    name: table.name,
    line,
    ...(members !== undefined && {
      members: {
        groups: members.groups ?? [],
        users: members.users ?? [],
        domains: members.domains ?? [],
        uids: members.uids ?? [],
      },
    }),
    require: table.require,
    enrol: table.enrol ?? 'refuse',
    ...(table.grace !== undefined && { graceMs: table.grace }),
    ...(table.grace_until !== undefined && { graceUntil: table.grace_until }),
    totp: {
      digits: totp?.digits ?? defaults.totp.digits,
      period: totp?.period ?? defaults.totp.period,
      algorithm: totp?.algorithm ?? defaults.totp.algorithm,
      skew: totp?.skew ?? defaults.totp.skew,
    },
    yubikey: yubikeyOf(table.yubikey),
    webauthn: webauthnOf(table.webauthn),
    lockout: {
      codes: lockout?.max_code_failures ?? defaults.lockout.codes,
      any: lockout?.max_failures ?? defaults.lockout.any,
      forMs: lockout?.duration ?? defaults.lockout.forMs,
    },
    su: table.su ?? 'target',
    observe: table.observe ?? false,
    rules: rules.map(({ item }) => item),
  };
}

function yubikeyOf({
  validation,
  servers,
  client_id,
  key_file,
  ca_file,
}: NonNullable<RealmTable['yubikey']> = {}): Realm['yubikey'] {
  return {
    ...(validation === undefined ? {} : { validation }),
    ...(client_id === undefined || key_file === undefined
      ? {}
      : {
          servers: {
            urls: servers ?? defaults.validationServers,
            clientId: String(client_id),
            keyFile: key_file,
            ...(ca_file === undefined ? {} : { caFile: ca_file }),
          },
        }),
  };
}

function webauthnOf({
  user_verification,
  resident_key,
  aaguids,
  metadata_file,
}: NonNullable<RealmTable['webauthn']> = {}): Realm['webauthn'] {
  return {
    userVerification: user_verification ?? defaults.webauthn.userVerification,
    residentKey: resident_key === 'required',
    ...(aaguids !== undefined &&
      metadata_file !== undefined && { models: { aaguids, metadataFile: metadata_file } }),
  };
}

function ruleOf(table: RuleTable, line: number): Rule {
  return {
    line,
    ...(table.services !== undefined && { services: table.services }),
    ...(table.from !== undefined && { from: table.from }),
    action: table.action,
  };
}
