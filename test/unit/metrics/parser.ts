/**
 * Reads Prometheus' text format as its page specifies it (exposition_formats, "Text format details"), and rejects
 * everything else. Written independently of the writer.
 */
export interface Read {
  readonly type: string;
  readonly help: string;
  readonly samples: readonly {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly value: number;
  }[];
}

const metricName = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const labelName = '[a-zA-Z_][a-zA-Z0-9_]*';
const sampleLine = new RegExp(`^(${metricName})(?:\\{(.*)\\})? (\\S+)$`, 's');
const labelText = new RegExp(`^(${labelName})="((?:[^"\\\\\\n]|\\\\[\\\\"n])*)"(,|$)`);

export function readMetrics(text: string): ReadonlyMap<string, Read> {
  if (!text.endsWith('\n')) throw new Error('the last line must end with a line feed');
  const families = new Map<string, { type: string; help: string; samples: Read['samples'][number][] }>();
  let current: string | undefined;
  for (const line of text.slice(0, -1).split('\n')) {
    const [, keyword, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.*)$/s.exec(line) ?? [];
    if (keyword === 'HELP') {
      if (families.has(name)) throw new Error(`${name}: a group must not come twice`);
      if (/^(?:[^\\]|\\[\\n])*$/s.test(rest) === false) throw new Error(`${name}: a bad escape`);
      families.set(name, { type: '', help: rest, samples: [] });
      current = name;
    } else if (keyword === 'TYPE') {
      const family = families.get(name);
      if (name !== current || family === undefined || family.type !== '' || family.samples.length > 0)
        throw new Error(`${name}: TYPE must come once, before the samples`);
      if (!['counter', 'gauge', 'histogram', 'summary', 'untyped'].includes(rest))
        throw new Error(`${name}: ${rest}`);
      family.type = rest;
    } else {
      const sample = sampleOf(line);
      const family = families.get(current ?? '');
      if (family === undefined || !belongs(sample.name, current ?? '', family.type))
        throw new Error(`${line}: not in its group`);
      const id = (one: typeof sample) => `${one.name} ${JSON.stringify(Object.entries(one.labels).sort())}`;
      if (family.samples.some((other) => id(other) === id(sample))) throw new Error(`${line}: comes twice`);
      family.samples.push(sample);
    }
  }
  for (const [name, family] of families) {
    if (family.type === '' || family.samples.length === 0)
      throw new Error(`${name} has no type or no sample`);
    if (family.type === 'counter' && !name.endsWith('_total'))
      throw new Error(`${name}: counters end with _total`);
    if (family.type === 'histogram') checkHistogram(name, family.samples);
  }
  return families;
}

function sampleOf(line: string): Read['samples'][number] {
  const [, name = '', braces = '', number = ''] = sampleLine.exec(line) ?? [];
  if (name === '') throw new Error(`${line}: no sample`);
  if (!/^(?:[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?)|NaN|[+-]Inf)$/.test(number))
    throw new Error(`${line}: no number`);
  const labels: Record<string, string> = {};
  for (let rest = braces; rest !== ''; ) {
    const [all = '', label = '', value = ''] = labelText.exec(rest) ?? [];
    if (all === '' || label in labels || label.startsWith('__')) throw new Error(`${line}: bad labels`);
    labels[label] = value.replace(/\\(.)/g, (_, mark: string) => (mark === 'n' ? '\n' : mark));
    rest = rest.slice(all.length);
  }
  return { name, labels, value: Number(number.replace('Inf', 'Infinity')) };
}

function belongs(name: string, family: string, type: string): boolean {
  if (type !== 'histogram') return name === family;
  return ['_bucket', '_sum', '_count'].some((suffix) => name === `${family}${suffix}`);
}

function checkHistogram(name: string, samples: Read['samples']): void {
  const buckets = samples.filter((sample) => sample.name === `${name}_bucket`);
  const bounds = buckets.map(({ labels }) => Number(labels.le?.replace('Inf', 'Infinity')));
  const rising = (list: readonly number[]) =>
    list.every((value, at) => at === 0 || value >= (list[at - 1] ?? 0));
  const count = samples.find((sample) => sample.name === `${name}_count`)?.value;
  const isWhole =
    bounds.at(-1) === Number.POSITIVE_INFINITY && rising(bounds) && rising(buckets.map(({ value }) => value));
  if (!isWhole || buckets.at(-1)?.value !== count) throw new Error(`${name}: no histogram`);
  if (!samples.some((sample) => sample.name === `${name}_sum`)) throw new Error(`${name}: no sum`);
}
