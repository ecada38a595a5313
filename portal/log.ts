/** One JSON object a line on stderr, as sallyportd's. Never a cookie, token, password, code, link or path. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Log {
  info(event: string, fields?: LogFields): void;
  warning(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

/** Prefixes of sd-daemon(3), so that the journal knows the priority. */
const priorities = { info: '<6>', warning: '<4>', error: '<3>' } as const;

/** @param journal whether stderr goes to the journal ($JOURNAL_STREAM is set) */
export function createLog(write: (line: string) => void, journal: boolean): Log {
  const at =
    (level: keyof typeof priorities) =>
    (event: string, fields: LogFields = {}): void =>
      write(`${journal ? priorities[level] : ''}${JSON.stringify({ level, event, ...fields })}\n`);
  return { info: at('info'), warning: at('warning'), error: at('error') };
}

/** A log that nobody takes must not end the portal. */
export function logToStderr(environment: NodeJS.ProcessEnv): Log {
  process.stderr.on('error', () => undefined);
  return createLog((line) => {
    try {
      process.stderr.write(line);
    } catch {
      // There is no other place to say so.
    }
  }, environment.JOURNAL_STREAM !== undefined);
}
