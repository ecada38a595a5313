/** Reports to sallyportd which settings this portal has read. */
export interface SettingsReport {
  close(): void;
}

/**
 * Reports at once, and then in every interval: sallyportd may have been restarted, or not be there yet.
 * @param report one report; whatever it throws, the next one follows
 * @param interval milliseconds
 */
export function startSettingsReport(report: () => Promise<unknown>, interval: number): SettingsReport {
  const attempt = (): void => void report().catch(() => undefined);
  attempt();
  const timer = setInterval(attempt, interval).unref();
  return { close: () => clearInterval(timer) };
}
