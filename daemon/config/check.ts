import type { Config, Rule } from './contract.ts';
import { defaults, pathsOf, userSocketBeside } from './defaults.ts';
import type { KeyPath } from './locate.ts';
import { formatValue, type Report } from './problem.ts';
import { coveredBy } from './rule-coverage.ts';
import type { DocumentTable } from './schema.ts';
import { isTable } from './unknown-settings.ts';

/** What the schema cannot see: keys that contradict each other. */

export interface Placed<T> {
  readonly item: T;
  readonly path: KeyPath;
}

const keyOf: Readonly<Record<keyof Config['paths'], string>> = {
  store: 'store',
  anchor: 'anchor',
  masterKey: 'master_key',
  lastGood: 'last_good',
  pamSocket: 'pam_socket',
  pamUserSocket: 'pam_user_socket',
  controlSocket: 'control_socket',
  fidoSocket: 'fido_socket',
  fidoHelper: 'fido_helper',
  passwordSocket: 'password_socket',
  passwordHelper: 'password_helper',
  passwordServiceDir: 'password_service_dir',
};

export function checkPaths(document: DocumentTable, report: Report): void {
  const paths = pathsOf(document.paths ?? {});
  const beside = userSocketBeside(paths.pamSocket);
  if (paths.pamUserSocket !== beside) {
    report.add(
      ['paths', 'pam_user_socket'],
      formatValue(paths.pamUserSocket),
      formatValue(beside),
      'the PAM module knows only socket= and takes the user socket from beside it',
    );
  }
  if (paths.passwordServiceDir !== undefined && paths.passwordHelper === undefined) {
    report.add(
      ['paths', 'password_service_dir'],
      formatValue(paths.passwordServiceDir),
      'nothing here, or password_helper as well',
      'behind password_socket the PAM service is that of the system',
    );
  }
  const seen = new Map<string, string>();
  for (const name of Object.keys(keyOf) as (keyof Config['paths'])[]) {
    const [key, path] = [keyOf[name], paths[name]];
    if (path === undefined) continue;
    const other = seen.get(path);
    if (other !== undefined) {
      report.add(['paths', key], formatValue(path), 'a separate path', `paths.${other} is the same`);
    }
    seen.set(path, key);
    // LevelDB removes what it does not know, and an anchor lost with its store could not tell of the loss.
    if (path.startsWith(`${paths.store}/`)) {
      report.add(
        ['paths', key],
        formatValue(path),
        'a path outside the directory of the store',
        `the store is ${paths.store}`,
      );
    }
  }
}

export function checkRealm(raw: unknown, path: KeyPath, report: Report): void {
  if (!isTable(raw)) return;
  checkMembers(raw.members, [...path, 'members'], report);
  checkGrace(raw, path, report);
  checkLockout(raw.lockout, [...path, 'lockout'], report);
  checkYubikey(raw.yubikey, [...path, 'yubikey'], report);
  checkWebauthn(raw.webauthn, [...path, 'webauthn'], report);
}

function checkYubikey(yubikey: unknown, path: KeyPath, report: Report): void {
  if (!isTable(yubikey)) return;
  const wantsServers =
    yubikey.validation === 'cloud' ||
    ['servers', 'client_id', 'key_file', 'ca_file'].some((key) => yubikey[key] !== undefined);
  if (!wantsServers) return;
  for (const key of ['client_id', 'key_file'])
    if (yubikey[key] === undefined)
      report.add(
        [...path, key],
        'nothing',
        'client_id and key_file together',
        'validation servers answer only to a client that they know',
      );
}

/** Without attestation, the model is only the key's own claim. */
function checkWebauthn(webauthn: unknown, path: KeyPath, report: Report): void {
  if (!isTable(webauthn)) return;
  const [has, lacks] =
    webauthn.aaguids === undefined ? ['metadata_file', 'aaguids'] : ['aaguids', 'metadata_file'];
  if (webauthn[has] === undefined || webauthn[lacks] !== undefined) return;
  report.add(
    [...path, lacks],
    'nothing',
    'aaguids and metadata_file together',
    'models are allowed by aaguids and verified against metadata_file',
  );
}

function checkMembers(members: unknown, path: KeyPath, report: Report): void {
  if (!isTable(members)) return;
  const isEmpty = Object.values(members).every((list) => Array.isArray(list) && list.length === 0);
  if (!isEmpty) return;
  report.add(
    path,
    formatValue(members),
    'at least one entry in groups, users, domains or uids',
    'this realm would have no member; leave members out for a catch-all',
  );
}

function checkGrace(raw: Record<string, unknown>, path: KeyPath, report: Report): void {
  const given = ['grace', 'grace_until'].filter((key) => raw[key] !== undefined);
  if (raw.enrol === 'grace' && given.length === 0) {
    report.add(
      [...path, 'enrol'],
      '"grace" without its end',
      'enrol = "grace" with either grace or grace_until',
    );
  }
  if (raw.enrol === 'grace' && given.length === 2) {
    report.add([...path, 'grace_until'], 'grace as well', 'either grace or grace_until, not both');
  }
  if (raw.enrol === 'grace') return;
  for (const key of given) {
    report.add(
      [...path, key],
      formatValue(raw[key]),
      'nothing here',
      `${key} means something with enrol = "grace" only`,
    );
  }
}

function checkLockout(lockout: unknown, path: KeyPath, report: Report): void {
  if (!isTable(lockout)) return;
  const { max_code_failures: codes = defaults.lockout.codes, max_failures: all = defaults.lockout.any } =
    lockout;
  if (typeof codes !== 'number' || typeof all !== 'number' || all >= codes) return;
  const key = lockout.max_failures === undefined ? 'max_code_failures' : 'max_failures';
  report.add(
    [...path, key],
    formatValue(lockout[key]),
    `max_failures at least as high as max_code_failures; here max_code_failures is ${codes} and max_failures is ${all}`,
    'wrong codes count in both',
  );
}

/** Names and order; works on what was written, so that one bad realm does not hide the order of the others. */
export function checkRealms(raw: readonly unknown[], report: Report): void {
  const names = new Map<string, number>();
  let catchAll: number | undefined;
  raw.forEach((entry, index) => {
    if (!isTable(entry)) return;
    const line = report.lines.lineOf(['realm', index]);
    if (catchAll !== undefined) {
      const message = `the realm in line ${catchAll} has no members and takes every account`;
      report.add(
        ['realm', index],
        'a realm behind a catch-all',
        'a catch-all as the last realm only',
        message,
      );
    }
    if (entry.members === undefined) catchAll ??= line;
    if (typeof entry.name !== 'string') return;
    const before = names.get(entry.name);
    if (before !== undefined) {
      const message = `the realm in line ${before} has the same name`;
      report.add(['realm', index, 'name'], formatValue(entry.name), 'a unique name', message);
    }
    names.set(entry.name, line);
  });
  if (catchAll !== undefined) return;
  report.add(
    ['realm', raw.length - 1],
    'a last realm with members',
    'a last realm without members: the catch-all',
    'an account that is a member of no realm would have no rule to go by',
  );
}

export function checkRules(rules: readonly Placed<Rule>[], report: Report): void {
  rules.forEach(({ item, path }, index) => {
    const lines = coveredBy(
      item,
      rules.slice(0, index).map((rule) => rule.item),
    );
    if (lines === undefined) return;
    const message =
      lines.length === 1
        ? `the rule in line ${lines[0]} comes first and takes all of it`
        : `the rules in lines ${lines.join(', ')} come first and take all of it`;
    report.add(
      path,
      'a rule that can never match',
      'services and sources that the rules before it leave over',
      message,
    );
  });
}
