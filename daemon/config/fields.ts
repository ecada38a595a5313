import { TomlDate } from 'smol-toml';
import * as v from 'valibot';
import { requirableKinds } from '../factors/contract.ts';
import { sshKind } from '../factors/kinds.ts';
import { parseNetwork } from '../lib/network.ts';
import { parseDuration, parseSize } from '../lib/units.ts';
import { limits } from '../limits.ts';
import type { Realm, Rule, Source } from './contract.ts';
import { isTable } from './unknown-settings.ts';

/**
 * Readers for single values. Each says in its message what is allowed, and nothing else:
 * load.ts adds file, line, key and what was found.
 */

/** @param read undefined: not allowed here */
export function reads<T>(
  allowed: string | ((input: unknown) => string),
  read: (input: unknown) => T | undefined,
) {
  return v.pipe(
    v.unknown(),
    v.rawTransform<unknown, T>(({ dataset, addIssue, NEVER }) => {
      const result = read(dataset.value);
      if (result !== undefined) return result;
      addIssue({ message: typeof allowed === 'string' ? allowed : allowed(dataset.value) });
      return NEVER;
    }),
  );
}

/** @param allowed plural: "names of groups" */
export function listOf<T>(allowed: string, item: v.GenericSchema<unknown, T>, least: 0 | 1) {
  const all = least === 0 ? `a list of ${allowed}` : `a list of ${allowed}, at least one`;
  return v.pipe(v.array(item, all), v.minLength(least, all));
}

export function oneOf<const T extends string>(values: readonly T[], later: readonly string[] = []) {
  const usual = values.map((value) => `"${value}"`).join(', ');
  return reads(
    (input) =>
      later.includes(String(input)) ? `${usual}; "${String(input)}" is not in this version yet` : usual,
    (input) => values.find((value) => value === input),
  );
}

export function wholeNumber(least: number, most: number) {
  return reads(`a whole number from ${least} to ${most}`, (input) =>
    typeof input === 'number' && Number.isInteger(input) && input >= least && input <= most
      ? input
      : undefined,
  );
}

export function duration(least: string, most: string) {
  const [from, to] = [parseDuration(least) ?? 0, parseDuration(most) ?? 0];
  return reads(`a time from "${least}" to "${most}", as in "90s", "15m", "1h", "14d"`, (input) => {
    const ms = typeof input === 'string' ? parseDuration(input) : undefined;
    return ms !== undefined && ms >= from && ms <= to ? ms : undefined;
  });
}

export function size(least: string, most: string) {
  const [from, to] = [parseSize(least) ?? 0, parseSize(most) ?? 0];
  return reads(`a size from "${least}" to "${most}", as in "64M", "1G"`, (input) => {
    const bytes = typeof input === 'string' ? parseSize(input) : undefined;
    return bytes !== undefined && bytes >= from && bytes <= to ? bytes : undefined;
  });
}

function text(allowed: string, holds: (value: string) => boolean) {
  return reads(allowed, (input) => (typeof input === 'string' && holds(input) ? input : undefined));
}

const isPlain = (value: string, most: number) =>
  value.length > 0 && Buffer.byteLength(value) <= most && !/\p{Cc}/u.test(value) && value.trim() === value;

/** Names of realms travel into grants, events and commands. */
export const realmName = text(
  'a name of up to 64 letters, digits, ".", "_" and "-", beginning with a letter or digit',
  (value) => /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(value),
);

export const groupName = text(
  'the name of a group, without ":" and without "@" or "%" in front',
  (value) => isPlain(value, limits.userLength) && !/^[@%]|[:,]/.test(value),
);

export const userName = text(
  'the name of an account as `getent passwd` prints it, without ":"',
  (value) => isPlain(value, limits.userLength) && !/[:,]/.test(value),
);

export const domainName = reads(
  'the domain of user@domain or DOMAIN\\user, without "@", "\\" and spaces',
  (input) =>
    typeof input === 'string' && isPlain(input, limits.userLength) && !/[@\\:\s]/.test(input)
      ? input.toLowerCase()
      : undefined,
);

/** libpam turns every service name to lower case and drops directories. */
export const serviceName = text(
  'the name of a PAM service as in /etc/pam.d, in lower case, up to 64 letters, digits, ".", "_", "+" and "-"',
  (value) => /^[a-z0-9._+-]+$/.test(value) && value.length <= limits.serviceLength,
);

/**
 * A relying party id is a domain (W3C Web Authentication Level 3, 5.1.3): browsers take it for pages of that
 * domain and those below it, and for no address and no name without a dot but localhost.
 */
export const relyingPartyId = text(
  'a domain in lower case that the portal and all hosts can share ("login.example.org"), or "localhost" to try things out',
  (value) =>
    value === 'localhost' ||
    (value.length <= 253 &&
      /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])$/.test(value)),
);

export const aaguid = reads('the AAGUID of a model, as a UUID', (input) =>
  typeof input === 'string' &&
  /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(input) &&
  /[1-9a-f]/i.test(input)
    ? input.toLowerCase()
    : undefined,
);

/** Label and issuer of an otpauth URI are parted by ":". */
export const issuerName = text(
  'a text of up to 64 bytes without ":" and control characters',
  (value) => isPlain(value, 64) && !value.includes(':'),
);

/** 0xffffffff means "no uid" to the kernel. */
const highestUid = 0xfffffffe;

export const uidRange = reads(
  'a uid ("1000") or a range with the lower uid first ("1000-59999")',
  (input) => {
    const written = typeof input === 'number' && Number.isInteger(input) ? String(input) : input;
    const match =
      typeof written === 'string' ? /^(0|[1-9]\d{0,9})(?:-(0|[1-9]\d{0,9}))?$/.exec(written) : null;
    if (match === null) return undefined;
    const first = Number(match[1]);
    const last = Number(match[2] ?? match[1]);
    return first <= last && last <= highestUid ? { first, last } : undefined;
  },
);

const sourceAllowed =
  'a literal address ("192.0.2.7"), a network ("10.0.0.0/8", "2001:db8::/32") or "local"; names are not looked up';

export const source = reads<Source>(
  (input) => {
    const written = typeof input === 'string' ? parseNetwork(input) : undefined;
    if (written?.ok !== false || written.network === undefined || typeof input !== 'string')
      return sourceAllowed;
    const { address, prefix } = written.network;
    return `"${address}/${prefix}" for the network, or "${input.split('/')[0]}" for the one address`;
  },
  (input) => {
    if (input === 'local') return { kind: 'local' };
    const written = typeof input === 'string' ? parseNetwork(input) : undefined;
    return written?.ok ? { kind: 'network', ...written.network } : undefined;
  },
);

const kind = reads('"totp", "webauthn" or "yubikey", each once', (input) =>
  requirableKinds.find((candidate) => candidate === input),
);

export const requirement = reads<Realm['require']>(
  '"none", "any", or one or a list of "totp", "webauthn" and "yubikey", each once',
  (input) => {
    if (input === 'none' || input === 'any') return input;
    const kinds = (Array.isArray(input) ? input : [input]).map((entry) => v.safeParse(kind, entry));
    const known = kinds.flatMap((entry) => (entry.success ? [entry.output] : []));
    const each = new Set(known).size === kinds.length;
    return each && known.length > 0 ? known : undefined;
  },
);

/** A date without a time is its first moment in UTC; a date with a time must have an offset. */
export const moment = reads(
  'a date (2027-01-31: from its first moment in UTC) or a date and time with offset',
  (input) => {
    if (!(input instanceof TomlDate) || Number.isNaN(input.getTime())) return undefined;
    const isClear = input.isDate() || (input.isDateTime() && !input.isLocal());
    return isClear ? input.getTime() : undefined;
  },
);

const longestRemember = '30d';
const rememberFor = duration('1s', longestRemember);
export const actionAllowed = '"skip", "ask", "refuse", { remember = "15m" } or { accept = "ssh-sk" }';

export const action = reads<Rule['action']>(
  (input) => {
    if (isTable(input) && 'accept' in input) return 'only { accept = "ssh-sk" }';
    if (isTable(input) && 'remember' in input)
      return `only { remember = a time from "1s" to "${longestRemember}" }`;
    return actionAllowed;
  },
  (input) => {
    if (input === 'skip' || input === 'ask' || input === 'refuse') return { kind: input };
    if (!isTable(input)) return undefined;
    const keys = Object.keys(input).join();
    if (keys === 'accept' && input.accept === sshKind) return { kind: 'accept', factor: sshKind };
    if (keys !== 'remember') return undefined;
    const time = v.safeParse(rememberFor, input.remember);
    return time.success ? { kind: 'remember', forMs: time.output } : undefined;
  },
);

/** sun_path is 108 bytes with its NUL; Node cuts a longer path off without a word. */
const longestSocketPath = 107;

const isAbsolute = (value: string) =>
  isPlain(value, 4096) && value.startsWith('/') && value !== '/' && !/\/\/|\/\.{1,2}(\/|$)|\/$/.test(value);

export const filePath = text('an absolute path without "..", "//" and a "/" at the end', isAbsolute);

/** A program in full and its arguments, as execve(2) takes them: there is no shell. */
export const program = reads(
  'a list of texts: the program with its whole path, and its arguments ["/usr/local/bin/tell", "--short"]',
  (input): readonly [string, ...string[]] | undefined => {
    if (!Array.isArray(input) || input.length > 64) return undefined;
    const words = input.filter((word): word is string => typeof word === 'string' && !/\p{Cc}/u.test(word));
    const [path, ...rest] = words;
    if (path === undefined || words.length < input.length || !isAbsolute(path)) return undefined;
    return [path, ...rest];
  },
);

export const serverUrl = text(
  'an address that begins with https:// or http://, up to its query',
  (value) => isPlain(value, 1024) && /^https?:\/\/[^/?#@]+(?:\/[^?#]*)?$/.test(value) && URL.canParse(value),
);

export const socketPath = reads(
  (input) =>
    typeof input === 'string' && isAbsolute(input)
      ? `a path of up to ${longestSocketPath} bytes; this one has ${Buffer.byteLength(input)}, and the system would cut it off`
      : `an absolute path of up to ${longestSocketPath} bytes without "..", "//" and a "/" at the end`,
  (input) =>
    typeof input === 'string' && isAbsolute(input) && Buffer.byteLength(input) <= longestSocketPath
      ? input
      : undefined,
);
