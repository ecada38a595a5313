/**
 * Every limit of the portal, with its reason. Sizes are bytes, times are milliseconds.
 * The tests try each from both sides.
 */
export const limits = {
  /** Cookie, Origin and Host are short; browsers send 1 to 2 KiB in all. */
  headerBytes: 16_384,
  headers: 64,
  /** An attestation with its chain of certificates is under 20 KiB. */
  requestBody: 65_536,
  /** A head, and a TLS handshake, on the slowest line that somebody logs in over. */
  headWait: 10_000,
  /** A body from its head to its end, however it trickles: they have some 2 KiB. */
  bodyWait: 5_000,
  /** Head and body together. */
  requestWait: 15_000,
  keepAlive: 15_000,
  /** A client that takes nothing of its answer. The daemon may take 32 s over one that waits for NSS. */
  socketIdle: 60_000,
  /** What is still on its way when the answer is "too large" is heard out so long, that it can be read. */
  refusedWait: 1_000,
  checkInterval: 1_000,

  /** Descriptors: some 30 KiB each with TLS. A browser opens six; beyond the limit whoever waits longest goes. */
  connections: 1_024,
  /** An office behind one address, but never all places. Reverse proxies are one address for everybody. */
  connectionsPerAddress: 256,
  /** Of one signed-in person, that no newcomer takes: a browser opens six, and a person has a few. */
  connectionsPerAccount: 32,

  /**
   * Questions to sallyportd, in four queues: sign-ins that begin, of whoever asks; those under a name that signed in
   * from there before; what else is asked without a session; and those of signed-in persons, which so wait for none of
   * them. `atOnce` of all, and the pages that listen, come to less than the daemon takes of the portal. `own`: of one
   * address, name at an address, or session, waiting included.
   */
  beginCalls: { atOnce: 128, waiting: 64, own: 16 },
  familiarCalls: { atOnce: 16, waiting: 128, own: 4 },
  openCalls: { atOnce: 24, waiting: 200, own: 224 },
  personCalls: { atOnce: 24, waiting: 1_000, own: 32 },
  daemonPauseLeast: 1_000,
  daemonPauseMost: 30_000,

  /** Some 2 KiB each; the one that was idle longest gives way. */
  sessions: 10_000,
  /** Browsers of one person; nobody can push out the sessions of others with their own. */
  sessionsPerAccount: 16,
  sessionIdle: 15 * 60_000,
  sessionLife: 8 * 3_600_000,
  sessionSweep: 5_000,
  /** Tokens that are ended at the daemon when the portal stops. */
  farewell: 2_000,

  /** Tabs of one session, and all of them. */
  liveSockets: 1_024,
  liveSocketsPerSession: 8,
  /** `{ "kind": "follow-audit" }` is all that a page has to say. */
  liveMessage: 256,
  liveMessages: 16,
  liveUnread: 1_048_576,
  livePing: 30_000,

  /** Sources in each table of tries; the oldest gives way. */
  tryEntries: 16_384,
  /** Sign-ins and confirmations of any outcome: each is a question to PAM. An office signs in within minutes. */
  signInTries: { burst: 120, forgetOneIn: 1_000 },
  /** Wrong ones: as the daemon's own limit for a source. */
  wrongTries: { burst: 30, forgetOneIn: 10_000 },
  /** Names that signed in from a network, and sign-ins under way: some 200 bytes each; the oldest gives way. */
  familiar: 4_096,
  /** Ids of approvals and sign-ins that are none. */
  guessTries: { burst: 30, forgetOneIn: 10_000 },

  /** Names of accounts, as control.sock takes them. */
  userLength: 256,
  passwordLength: 1_024,
  answerLength: 1_024,
  linkLength: 512,
  idLength: 128,
  nameLength: 256,
  pageDefault: 50,
  pageMost: 1_000,

  /** The pages together: they lie in memory. */
  assetBytes: 16 * 1_048_576,
  assetFiles: 256,
  /** fs.watch misses what a link is pointed at anew; a certificate that is renewed is no matter of seconds. */
  certificateCheck: 10_000,
} as const;
