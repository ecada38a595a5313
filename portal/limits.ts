/**
 * Every limit of the portal, with its reason. Sizes are bytes, times are milliseconds. The tests check each from both
 * sides.
 */
export const limits = {
  /** Cookie, Origin and Host are short; browsers send 1 to 2 KiB in all. */
  headerBytes: 16_384,
  headers: 64,
  /** An attestation with its chain of certificates is under 20 KiB. */
  requestBody: 65_536,
  /** A request header, and a TLS handshake, over the slowest usable line. */
  headWait: 10_000,
  /** From the header to the end of a body, however slowly it arrives: bodies have some 2 KiB. */
  bodyWait: 5_000,
  /** Header and body together. */
  requestWait: 15_000,
  keepAlive: 15_000,
  /** A client that reads nothing of its response. The daemon may take 32 s for a response that waits for NSS. */
  socketIdle: 60_000,
  /** After "too large" the rest of the body is read for so long, so that the client can read the response. */
  refusedWait: 1_000,
  checkInterval: 1_000,

  /** Descriptors: some 30 KiB each with TLS. A browser opens six; beyond the limit the longest idle one is closed. */
  connections: 1_024,
  /** An office behind one address, but never all slots. A reverse proxy is one address for all its users. */
  connectionsPerAddress: 256,
  /** Kept for one signed-in user against newcomers: a browser opens six, and a user has a few browsers. */
  connectionsPerAccount: 32,

  /**
   * Calls to sallyportd, in four queues: new sign-ins of strangers; new sign-ins of names that signed in from the same
   * network before; other calls without a session; and calls of signed-in users, which so never wait for the others.
   * The sum of all `atOnce` and of the live pages is less than the daemon allows the portal. `own`: for one address,
   * name at an address, or session, waiting included.
   */
  beginCalls: { atOnce: 128, waiting: 64, own: 16 },
  familiarCalls: { atOnce: 16, waiting: 128, own: 4 },
  openCalls: { atOnce: 24, waiting: 200, own: 224 },
  personCalls: { atOnce: 24, waiting: 1_000, own: 32 },
  daemonPauseLeast: 1_000,
  daemonPauseMost: 30_000,

  /** Some 2 KiB each; the longest idle one is ended. */
  sessions: 10_000,
  /** Browsers of one user; a user's sessions cannot displace those of others. */
  sessionsPerAccount: 16,
  sessionIdle: 15 * 60_000,
  sessionLife: 8 * 3_600_000,
  sessionSweep: 5_000,
  /** Milliseconds between two reports of the settings: for that long after a restart sallyportd may not know them. */
  settingsReport: 60_000,
  /** Tokens that are revoked at the daemon when the portal stops. */
  farewell: 2_000,

  /** Tabs of one session, and all of them. */
  liveSockets: 1_024,
  liveSocketsPerSession: 8,
  /** Pages send only `{ "kind": "follow-audit" }`. */
  liveMessage: 256,
  liveMessages: 16,
  liveUnread: 1_048_576,
  livePing: 30_000,

  /** Sources in each rate limiter; the oldest is evicted. */
  rateEntries: 16_384,
  /** Sign-ins and confirmations of any outcome: each calls PAM. An office signs in within minutes. */
  signInRate: { burst: 120, forgetOneIn: 1_000 },
  /** Wrong answers: as the daemon's own limit for a source. */
  wrongAnswerRate: { burst: 30, forgetOneIn: 10_000 },
  /** Names that signed in from a network, and sign-ins in progress: some 200 bytes each; the oldest is evicted. */
  familiar: 4_096,
  /** Unknown IDs of approvals and sign-ins. */
  guessRate: { burst: 30, forgetOneIn: 10_000 },

  /** Account names, as control.sock accepts them. */
  userLength: 256,
  passwordLength: 1_024,
  answerLength: 1_024,
  linkLength: 512,
  idLength: 128,
  nameLength: 256,
  pageDefault: 50,
  pageMost: 1_000,

  /** All pages together: they are kept in memory. */
  assetBytes: 16 * 1_048_576,
  assetFiles: 256,
  /** fs.watch misses a changed target of a symbolic link; a renewed certificate is not urgent. */
  certificateCheck: 10_000,
} as const;
