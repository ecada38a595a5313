/** Every limit of sallyport-notify, with its reason. Times are milliseconds. */
export const limits = {
  /** Events that wait for the program: more at a time is a flood, of which the number is what counts. */
  queue: 100,
  /** What takes longer hangs: a mail is handed over in seconds. */
  run: 30_000,
  /** Attempts for one event, and the pauses between them: long enough for a service restart. */
  rests: [1_000, 10_000],
  /** Of what the program says on standard error, so much of the end goes into the log. */
  output: 1_024,
  /** Interval of writing the position while there is no notice. */
  save: 5_000,
  /** Pause between attempts to reach sallyportd, first and longest. */
  reconnect: 1_000,
  reconnectMost: 30_000,
} as const;
export type Limits = {
  readonly [Name in Exclude<keyof typeof limits, 'rests'>]: number;
} & { readonly rests: readonly number[] };
