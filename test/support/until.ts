/** Waits for a condition. @throws when it does not come true within so many milliseconds */
export async function until(done: () => boolean | Promise<boolean>, within: number): Promise<void> {
  const end = Date.now() + within;
  while (!(await done())) {
    if (Date.now() > end) throw new Error(`not within ${within} ms: ${done}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
