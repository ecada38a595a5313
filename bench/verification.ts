import { join } from 'node:path';
import { createAssertions } from '../daemon/authenticators/assertions.ts';
import { credentialOf } from '../daemon/factors/kinds.ts';
import { newSample, type Sample } from './assertion.ts';
import { must, repository } from './machine.ts';
import { median, quantile } from './measure.ts';

/** What it costs to verify what a security key signed: no finger can be timed. */
export interface Verification {
  readonly by: 'sallyportd' | 'libfido2, as in pam_u2f';
  /** Milliseconds, as all times here; medians of the runs. */
  readonly p50: number;
  readonly p95: number;
  /** A second, one after the other. */
  readonly rate: number;
  /** CPU seconds for a thousand. */
  readonly cpu: number;
  /** What the first one takes longer: the library is loaded then. */
  readonly load?: number;
}

export interface Spent {
  /** Milliseconds of each. */
  readonly times: readonly number[];
  /** CPU milliseconds of all of them. */
  readonly cpu: number;
}

interface Extent {
  readonly repeats: number;
  /** Of one run. */
  readonly seconds: number;
}

const warmUp = 2_000;

/** Both verify the same assertion with the same key, by turns. */
export async function measureVerification(
  directory: string,
  { repeats, seconds }: Extent,
): Promise<Verification[]> {
  const sample = newSample();
  const program = join(directory, 'verify_assertion');
  must('cc', ['-O2', '-o', program, join(repository, 'bench/native/verify_assertion.c'), '-lfido2']);
  const loads = Array.from({ length: repeats }, loadTime);
  await verifyHere(sample, { rounds: warmUp });
  const here: Spent[] = [];
  const there: Spent[] = [];
  for (let round = 0; round < repeats; round += 1) {
    here.push(await verifyHere(sample, { seconds }));
    there.push(verifyByLibfido2(program, sample, seconds));
  }
  return [
    { ...verification('sallyportd', here), load: median(loads) },
    verification('libfido2, as in pam_u2f', there),
  ];
}

export function verification(by: Verification['by'], runs: readonly Spent[]): Verification {
  const each = runs.map(({ times, cpu }) => {
    const sorted = times.toSorted((a, b) => a - b);
    const sum = times.reduce((a, b) => a + b, 0);
    return {
      p50: quantile(sorted, 0.5),
      p95: quantile(sorted, 0.95),
      rate: (times.length / sum) * 1000,
      cpu: cpu / times.length,
    };
  });
  return {
    by,
    p50: median(each.map(({ p50 }) => p50)),
    p95: median(each.map(({ p95 }) => p95)),
    rate: median(each.map(({ rate }) => rate)),
    cpu: median(each.map(({ cpu }) => cpu)),
  };
}

/** The way that an assertion takes in the daemon, in this process. */
async function verifyHere(
  { assertion, record }: Sample,
  until: { readonly rounds: number } | { readonly seconds: number },
): Promise<Spent> {
  const silent = (): void => undefined;
  const assertions = createAssertions({ info: silent, warning: silent, error: silent });
  const credential = credentialOf(record);
  if (credential === undefined) throw new Error('the sample is of no security key');
  const times: number[] = [];
  const before = process.cpuUsage();
  const begun = performance.now();
  const goesOn = (): boolean =>
    'rounds' in until ? times.length < until.rounds : performance.now() - begun < until.seconds * 1000;
  while (goesOn()) {
    // One that is known already is not checked again.
    const asked = { ...assertion };
    const start = performance.now();
    const { signed } = await assertions.of(asked, [record]);
    times.push(performance.now() - start);
    if (signed?.(asked, credential) === undefined)
      throw new Error('sallyportd does not verify the assertion');
  }
  const { user, system } = process.cpuUsage(before);
  return { times, cpu: (user + system) / 1000 };
}

function verifyByLibfido2(program: string, sample: Sample, seconds: number): Spent {
  const { assertion, rpId, clientDataHash, point } = sample;
  const parts = [clientDataHash, assertion.authenticatorData, assertion.signature, point];
  const output = must(program, [
    String(Math.round(seconds * 1000)),
    rpId,
    ...parts.map((part) => part.toString('hex')),
  ]);
  return readSpent(output);
}

/** What bench/native/verify_assertion.c prints. */
export function readSpent(output: string): Spent {
  const lines = output.trim().split('\n');
  const cpu = /^cpu (\d+)$/.exec(lines.pop() ?? '')?.[1];
  if (cpu === undefined) throw new Error('verify_assertion did not come to its end');
  return { times: lines.map((line) => Number(line) / 1e6), cpu: Number(cpu) / 1e6 };
}

/** In a process of its own: it is loaded once. */
function loadTime(): number {
  const program = `const start = performance.now();
    await import(${JSON.stringify(import.meta.resolve('@simplewebauthn/server'))});
    process.stdout.write(String(performance.now() - start));`;
  return Number(must(process.execPath, ['--input-type=module', '--eval', program]));
}
