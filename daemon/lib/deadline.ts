/**
 * Waits for `work`, at most `ms` milliseconds. `work` goes on by itself when it is late; what comes of it is dropped.
 *
 * Invariants:
 * - the deadline comes: it is a plain timer, which Node itself holds. What `AbortSignal.timeout()` and
 *   `AbortSignal.any()` give is held by its listeners only weakly, and the garbage collector takes it together with
 *   the deadline (nodejs/node 57736);
 * - the timer keeps the process running, and is cleared in every path.
 *
 * @param late what the wait comes to at the deadline; it may throw
 */
export async function withDeadline<T, L = T>(
  work: Promise<T>,
  ms: number,
  late: () => L | Promise<L>,
): Promise<T | L> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), ms);
  });
  try {
    const first = await Promise.race([work.then((value) => ({ value })), deadline]);
    return first === 'late' ? await late() : first.value;
  } finally {
    clearTimeout(timer);
  }
}
