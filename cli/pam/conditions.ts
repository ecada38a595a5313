import type { ModuleLine } from './lines.ts';
import { moduleName } from './modules.ts';

/** One condition of pam_succeed_if(8): "uid = 0". */
interface Condition {
  readonly field: string;
  readonly test: string;
  readonly value: string;
}

const flags = new Set(['debug', 'use_uid', 'quiet', 'quiet_fail', 'quiet_success', 'audit']);

/** @returns undefined for another module, or if conditions are not in groups of three */
function conditionsOf(line: ModuleLine): readonly Condition[] | undefined {
  if (moduleName(line) !== 'succeed_if') return undefined;
  const words = line.options.filter((option) => !flags.has(option));
  if (words.length === 0 || words.length % 3 !== 0) return undefined;
  return Array.from({ length: words.length / 3 }, (_, index) => {
    const [field = '', test = '', value = ''] = words.slice(3 * index, 3 * index + 3);
    return { field, test, value };
  });
}

/** Whether the line requires another service, so that it never succeeds in this one. */
export function excludes(line: ModuleLine, service: string): boolean {
  return (conditionsOf(line) ?? []).some(
    ({ field, test, value }) => field === 'service' && equals(test, value, service) === false,
  );
}

/** @returns undefined for a test that this function does not evaluate (a pattern, an order) */
function equals(test: string, value: string, actual: string): boolean | undefined {
  switch (test) {
    case '=':
      return value === actual;
    case '!=':
      return value !== actual;
    case 'in':
      return value.split(':').includes(actual);
    case 'notin':
      return !value.split(':').includes(actual);
    default:
      return undefined;
  }
}

/** Whether the line succeeds only for root. use_uid tests the uid of the process, which is 0 in login. */
export function isForRoot(line: ModuleLine): boolean {
  if (line.options.includes('use_uid')) return false;
  return (conditionsOf(line) ?? []).some(
    ({ field, test, value }) =>
      (field === 'uid' && (test === '=' || test === 'eq') && value === '0') ||
      (field === 'user' && test === '=' && value === 'root'),
  );
}

const pseudo = /^(?:\/dev\/)?(?:pts|tty[p-za-e][0-9a-f]$|ssh$|cron$|:|$)/;

/** Whether the line succeeds only on terminals that it names, without pseudo-terminals, and never for a remote host. */
export function isAtConsole(line: ModuleLine): boolean {
  const conditions = conditionsOf(line) ?? [];
  const listed = conditions.some(
    ({ field, test, value }) =>
      field === 'tty' &&
      (test === 'in' || test === '=') &&
      value.split(':').every((name) => !pseudo.test(name)),
  );
  return (
    listed &&
    conditions.some(({ field, test, value }) => field === 'rhost' && test === '!~' && value === '?*')
  );
}
