/** One JSON object a line on stderr, as sallyportd's. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;
export type Log = (level: 'info' | 'warning' | 'error', event: string, fields?: LogFields) => void;

/** Prefixes of sd-daemon(3), so that the journal knows the priority. */
const priorities = { info: '<6>', warning: '<4>', error: '<3>' } as const;

/** A log that nobody takes must not end the process. */
export function logToStderr(environment: NodeJS.ProcessEnv): Log {
  const journal = environment.JOURNAL_STREAM !== undefined;
  process.stderr.on('error', () => undefined);
  return (level, event, fields = {}) => {
    try {
      process.stderr.write(
        `${journal ? priorities[level] : ''}${JSON.stringify({ level, event, ...fields })}\n`,
      );
    } catch {
      // There is no other place to say so.
    }
  };
}
