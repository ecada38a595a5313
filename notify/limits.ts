/** Every limit of sallyport-notify, with its reason. Times are milliseconds. */
export const limits = {
  /** Events that wait for the program: more at a time is a flood, of which the number is what counts. */
  queue: 100,
  /** What takes longer hangs: a mail is handed over in seconds. */
  run: 30_000,
  /** Tries of one event, and the rests between them: long enough for a service that is restarted. */
  rests: [1_000, 10_000],
  /** Of what the program says on standard error, so much of the end goes into the log. */
  output: 1_024,
  /** How often the place is written down while nothing is to be told. */
  save: 5_000,
  /** Between tries to reach sallyportd, at first and at the most. */
  reconnect: 1_000,
  reconnectMost: 30_000,
} as const;
export type Limits = {
  readonly [Name in Exclude<keyof typeof limits, 'rests'>]: number;
} & { readonly rests: readonly number[] };
