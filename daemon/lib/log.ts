/**
 * One JSON object a line on stderr, which systemd hands to the journal. JSON escapes control
 * characters, so that nothing that was typed can forge a line.
 */
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
