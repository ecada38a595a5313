/** The terminal that on_terminal.c has made: settings as at the beginning, or a line that was hung up. */
export interface TerminalSettings {
  readonly echo?: boolean;
  readonly same?: boolean;
  readonly gone?: true;
}

/** A line that test/native/driver.c, probe.c or on_terminal.c wrote; texts decoded. */
export type DriverEvent =
  | { readonly event: 'screen'; readonly text: string }
  | ({ readonly event: 'state' } & TerminalSettings)
  | ({ readonly event: 'stopped' } & TerminalSettings)
  | ({ readonly event: 'ended'; readonly signal: number; readonly left: string } & TerminalSettings)
  | { readonly event: 'message'; readonly style: number; readonly text: string }
  | { readonly event: 'log'; readonly priority: number; readonly text: string }
  | {
      readonly event: 'module';
      readonly code: number;
      readonly ms: number;
      readonly files: readonly [before: number, after: number];
      readonly found?: number;
      readonly user?: string;
      readonly authtok?: string;
    }
  | { readonly event: 'end'; readonly code: number };

export type ModuleEvent = Extract<DriverEvent, { event: 'module' }>;

export function decodeLine(line: string): DriverEvent {
  const text = (value: unknown) =>
    typeof value === 'string' ? Buffer.from(value, 'hex').toString() : undefined;
  const event = JSON.parse(line) as Record<string, unknown>;
  for (const name of ['text', 'user', 'authtok', 'left']) {
    if (name in event) event[name] = text(event[name]);
  }
  return event as unknown as DriverEvent;
}
