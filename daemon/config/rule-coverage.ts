import { rangeOf } from '../lib/network.ts';
import type { Rule, Source } from './contract.ts';

type Matcher = Pick<Rule, 'line' | 'services' | 'from'>;

/**
 * The lines of the earlier rules that together take every login that `rule` could match;
 * undefined when at least one login is left for it.
 */
export function coveredBy(rule: Matcher, earlier: readonly Matcher[]): number[] | undefined {
  const lines = new Set<number>();
  for (const service of rule.services ?? [undefined]) {
    const rivals = earlier.filter((rival) => takesService(rival, service));
    for (const source of rule.from ?? [undefined]) {
      const takers = rivals.filter((rival) => takesSource(rival, source));
      if (!takesAll(takers, source)) return undefined;
      for (const taker of takers) lines.add(taker.line);
    }
  }
  return [...lines].sort((a, b) => a - b);
}

/** @param service undefined: all services there are */
function takesService(rule: Matcher, service: string | undefined): boolean {
  if (rule.services === undefined) return true;
  return service !== undefined && rule.services.includes(service);
}

function takesSource(rule: Matcher, source: Source | undefined): boolean {
  if (rule.from === undefined) return true;
  if (source === undefined) return false;
  return rule.from.some((other) => overlaps(other, source));
}

function overlaps(a: Source, b: Source): boolean {
  if (a.kind === 'local' || b.kind === 'local') return a.kind === b.kind;
  if (a.family !== b.family) return false;
  const [one, two] = [rangeOf(a), rangeOf(b)];
  return one.first <= two.last && two.first <= one.last;
}

/** @param source undefined: logins from anywhere, those from unknown places too */
function takesAll(rules: readonly Matcher[], source: Source | undefined): boolean {
  if (rules.some((rule) => rule.from === undefined)) return true;
  if (source === undefined || rules.length === 0) return false;
  if (source.kind === 'local') return true;
  const ranges = rules
    .flatMap((rule) => rule.from ?? [])
    .flatMap((other) => (other.kind === 'network' && overlaps(other, source) ? [rangeOf(other)] : []))
    .sort((a, b) => (a.first < b.first ? -1 : 1));
  const wanted = rangeOf(source);
  let next = wanted.first;
  for (const range of ranges) {
    if (range.first > next) return false;
    if (range.last >= next) next = range.last + 1n;
  }
  return next > wanted.last;
}
