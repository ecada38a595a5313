import { relative } from 'node:path';
import { tap } from 'node:test/reporters';
import { root } from './run.mjs';

/** Of one failure, and of all of them: a log whose middle is cut off still ends with these and the totals. */
const mostLines = 12;
const mostFailures = 40;

const fileOf = ({ file }) => (file === undefined ? '' : relative(root, file));

function describe(failure, unfinished) {
  const { name, line, details } = failure;
  const file = fileOf(failure);
  const seconds = Math.round((details.duration_ms ?? 0) / 1000);
  const where = name === failure.file ? file : `${file}:${line} ${name}`;
  const message = String(details.error?.cause?.message ?? details.error?.message ?? '').split('\n');
  const waiting = name === failure.file ? [...(unfinished.get(failure.file) ?? [])] : [];
  return [
    `not ok after ${seconds} s: ${where}`,
    ...message.slice(0, mostLines).map((text) => `  ${text}`),
    ...waiting.slice(0, mostLines).map((text) => `  had not ended: ${text}`),
  ];
}

/**
 * The TAP output of `node --test`, with every failure once more before the totals. Suites that fail because
 * a test in them did are left out.
 */
// biome-ignore lint/style/noDefaultExport: `node --test-reporter` takes the default export.
export default async function* testReporter(source) {
  const failures = [];
  const unfinished = new Map();
  async function* watched() {
    for await (const event of source) {
      const { file, name, details } = event.data ?? {};
      if (event.type === 'test:dequeue') unfinished.set(file, (unfinished.get(file) ?? new Set()).add(name));
      if (event.type === 'test:pass' || event.type === 'test:fail') unfinished.get(file)?.delete(name);
      if (event.type === 'test:fail' && details?.error?.failureType !== 'subtestsFailed')
        failures.push(event.data);
      yield event;
    }
  }
  for await (const text of tap(watched())) {
    if (text.startsWith('# tests '))
      for (const failure of failures.slice(0, mostFailures))
        for (const line of describe(failure, unfinished)) yield `# ${line}\n`;
    yield text;
  }
}
