/**
 * Figures and how they are written: Prometheus' text format, version 0.0.4
 * (prometheus.io/docs/instrumenting/exposition_formats).
 */
export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  /** Behind the family's name: `_bucket`, `_sum`, `_count`. */
  readonly suffix?: string;
  readonly labels?: Labels;
  readonly value: number;
}

export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly samples: readonly Sample[];
}

export function gauge(name: string, help: string, value: number, labels?: Labels): Family {
  return { name, help, type: 'gauge', samples: [{ value, ...(labels === undefined ? {} : { labels }) }] };
}

export function total(name: string, help: string, value: number): Family {
  return { name, help, type: 'counter', samples: [{ value }] };
}

export interface Counter {
  add(labels?: Labels, by?: number): void;
  family(): Family;
}

/** Sets of labels of one counter: what is new beyond that is counted under "other". */
const mostSets = 256;

/** @param from the samples before anything was counted: a rate needs a beginning */
export function createCounter(name: string, help: string, from: readonly Labels[] = []): Counter {
  const sets = new Map<string, { readonly labels: Labels; value: number }>();
  const setOf = (labels: Labels) => {
    const id = JSON.stringify(labels);
    const known = sets.get(id);
    if (known !== undefined) return known;
    const isFull = sets.size >= mostSets && Object.values(labels).some((value) => value !== 'other');
    if (isFull) return setOf(Object.fromEntries(Object.keys(labels).map((key) => [key, 'other'])));
    const fresh = { labels, value: 0 };
    sets.set(id, fresh);
    return fresh;
  };
  const add: Counter['add'] = (labels = {}, by = 1) => {
    setOf(labels).value += by;
  };
  for (const labels of from) add(labels, 0);
  return {
    add,
    family: () => ({ name, help, type: 'counter', samples: [...sets.values()].map((set) => ({ ...set })) }),
  };
}

export interface Histogram {
  observe(seconds: number): void;
  family(): Family;
}

/** From a commit on a quiet machine to the longest that the module waits for a sign of life. */
const bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;

export function createHistogram(name: string, help: string): Histogram {
  const counts = new Array<number>(bounds.length + 1).fill(0);
  let sum = 0;
  return {
    observe(seconds) {
      const found = bounds.findIndex((bound) => seconds <= bound);
      const at = found < 0 ? bounds.length : found;
      counts[at] = (counts[at] ?? 0) + 1;
      sum += seconds;
    },
    family() {
      let below = 0;
      const buckets = counts.map((count, at): Sample => {
        below += count;
        return { suffix: '_bucket', labels: { le: String(bounds[at] ?? '+Inf') }, value: below };
      });
      const samples = [...buckets, { suffix: '_sum', value: sum }, { suffix: '_count', value: below }];
      return { name, help, type: 'histogram', samples };
    },
  };
}

export function textOf(families: readonly Family[]): string {
  return families
    .filter(({ samples }) => samples.length > 0)
    .map(
      ({ name, help, type, samples }) =>
        `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n# TYPE ${name} ${type}\n` +
        samples.map((sample) => `${lineOf(name, sample)}\n`).join(''),
    )
    .join('');
}

function lineOf(name: string, { suffix = '', labels = {}, value }: Sample): string {
  const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escaped(text)}"`);
  const braces = pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
  return `${name}${suffix}${braces} ${value}`;
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
