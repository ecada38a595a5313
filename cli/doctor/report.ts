import type { Output } from '../lib/output.ts';
import type { Severity } from './catalogue.ts';
import type { Finding } from './contract.ts';
import { complete, type Examined, worst } from './examine.ts';

const words: Readonly<Record<Severity, string>> = {
  ok: 'ok',
  note: 'note',
  warning: 'WARNING',
  error: 'ERROR',
};

/** Output of `--json`; docs/reference/doctor-findings.md. */
export function asJson(examined: readonly Examined[], version: string, now: number) {
  return {
    version,
    at: now,
    worst: worst(examined),
    complete: complete(examined),
    findings: examined.flatMap(({ check, findings }) => findings.map((one) => ({ check, ...one }))),
  };
}

/** For a terminal, problems by check; for a pipe, one line each: severity, id, check, summary, impact, fix. */
export function tell(output: Output, examined: readonly Examined[], verbose: boolean): void {
  if (!output.terminal) {
    const rows: (readonly string[])[] = [];
    for (const { check, findings } of examined)
      for (const one of findings) rows.push(fields(check, one).map(oneLine));
    output.table([], rows);
    return;
  }
  output.line(headline(examined));
  for (const { check, findings } of examined) {
    const shown = findings.filter(({ severity }) => verbose || severity !== 'ok');
    if (shown.length === 0) continue;
    output.line('');
    output.line(check);
    for (const one of shown) for (const { text, hang } of linesOf(one)) output.prose(text, hang);
  }
  const good = examined.filter(({ findings }) => findings.some(({ severity }) => severity === 'ok'));
  if (verbose || good.length === 0) return;
  output.line('');
  output.prose(`passed: ${good.map(({ check }) => check).join(', ')} (for details: --verbose)`);
}

function fields(check: string, one: Finding): readonly string[] {
  if (one.severity === 'ok') return ['ok', '', check, one.summary, '', ''];
  return [one.severity, one.id, check, one.summary, one.impact, one.fix];
}

/** In a pipe one finding is one line; printable() would show the break as \u{a}. */
function oneLine(text: string): string {
  return text.replaceAll(/[\n\t]+/g, ' ');
}

interface Line {
  readonly text: string;
  /** Indentation of continuation lines. */
  readonly hang: number;
}

function linesOf(one: Finding): readonly Line[] {
  const [first = '', ...more] = one.summary.split('\n');
  const label = `  ${words[one.severity].padEnd(8)} `;
  const indent = ' '.repeat(label.length);
  const id = one.severity === 'ok' ? '' : `  [${one.id}]`;
  const head = [`${label}${first}${id}`, ...more.map((line) => indent + line)].map((text) => ({
    text,
    hang: label.length,
  }));
  if (one.severity === 'ok') return head;
  const under = (name: string, value: string): Line => {
    const before = `${indent}${name.padEnd(8)}`;
    return { text: before + value, hang: before.length };
  };
  return [...head, under('Impact:', one.impact), under('Fix:', one.fix)];
}

function headline(examined: readonly Examined[]): string {
  const all = examined.flatMap(({ findings }) => findings.map(({ severity }) => severity));
  const number = (wanted: Severity) => all.filter((severity) => severity === wanted).length;
  const said = (['error', 'warning', 'note'] as const)
    .filter((severity) => number(severity) > 0)
    .map((severity) => `${number(severity)} ${severity}${number(severity) === 1 ? '' : 's'}`);
  if (said.length > 0) return said.join(', ');
  return 'no findings';
}
