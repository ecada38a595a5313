/** Whether two samples of times come from one distribution: the test of Kolmogorov and Smirnov. */

/** The largest difference between the shares of both that took up to the same time. */
export function distance(some: readonly number[], others: readonly number[]): number {
  const shareUpTo = (of: readonly number[], ms: number) =>
    of.filter((one) => one <= ms).length / Math.max(1, of.length);
  return Math.max(...[...some, ...others].map((ms) => Math.abs(shareUpTo(some, ms) - shareUpTo(others, ms))));
}

/** The distance that chance exceeds once in a thousand measurements, for samples of these sizes. */
export function criticalDistance(some: number, others: number): number {
  return 1.95 * Math.sqrt((some + others) / (some * others));
}
