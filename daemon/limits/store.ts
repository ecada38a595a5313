/** The part of limits.ts for the store, the journal and backups. */
export const storeLimits = {
  /** Commits that wait for one sync together. */
  commitsPerSync: 512,
  /** Records kept in memory, a few KiB each, so that a login reads its record from disk once at the most. */
  knownRecords: 256,
  /** For so long after it was read: damage to it on disk is noticed then at the latest. */
  knownRecordsFor: 600_000,
  /** The anchor file follows the store; design: at most a second behind. */
  anchorInterval: 700,
  /** LevelDB's write buffer is 4 MiB and is written again on open. */
  reserveBytes: 16 * 1024 * 1024,
  /**
   * Tables read in full before the store is opened, newest first: a tenth of a second's work. The scrub reads the rest.
   */
  checkAtOpenBytes: 16 * 1024 * 1024,
  /** Tables up to this size always are: so few records may share one block with their markers. */
  smallTableBytes: 65_536,
  /** The first scrub waits until the rush after a start is over; the next ones find what a disk loses in a day. */
  scrubDelay: 60_000,
  scrubInterval: 24 * 3_600_000,
  /** Records read at a time by scrub and prune, and the rest between: a fifth of one core at the most. */
  scrubBatch: 256,
  scrubPause: 25,
  /** Entries that are encrypted again in one commit, and milliseconds between two: logins go first. */
  resealBatch: 64,
  resealPause: 5,
  /** The longest piece of a backup: an account with all the factors that it may have takes 100 KiB. */
  backupFrame: 16 * 1024 * 1024,
  /** How long a client may read nothing of its backup. */
  backupStall: 120_000,
  /** Sentences about damage that are kept: enough to see what it is. */
  scrubFindings: 100,
  /** Events in a row that are too old, after which a search by time ends: a clock may have been set back. */
  oldEventsInRow: 1_000,
  /** Lines of the audit trail that wait for a journal that is slow: some 2 MB. */
  auditLines: 10_000,
  /** Lines of the audit trail are gathered for so long: one write for a burst; fail2ban acts on minutes. */
  journalGather: 25,
  /**
   * Logins that are made up after a start, against a store in memory, and the rest after each: half a second, for the
   * first users' logins to be faster. A slow machine ends it by its time.
   */
  warmUp: { logins: 150, rest: 1, time: 3_000 },
} as const;
