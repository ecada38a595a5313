/**
 * The part of limits.ts that bounds what is held at a time: connections, threads, questions. docs/reference/limits.md says of each
 * pool who can fill it, and why no login whose first factor is verified needs what is left.
 */
export const poolLimits = {
  /** Connections on pam.sock: 4096 is the backlog, sshd's MaxStartups is far below. Those of unverified logins, and those
   * before HELLO, have separate slots; what is left (2 816) is for logins whose first factor is verified. */
  rootConnections: 4_096,
  /**
   * Before HELLO, which takes milliseconds: the one that has waited longest gives way. A local user can stop su there.
   */
  helloWaiting: 256,
  /** None gives way sooner, while there are places: many connections that come at once are read one after the other. */
  helloGrace: 1_000,
  /**
   * party: one real uid, one address (IPv6: one /64). Half of a name's places at most, so that none keeps out the
   * others.
   */
  unverifiedLogins: { all: 1_024, name: 64, party: 32 },
  /**
   * Refusals of logins over one of these limits: how many are held back at a time, and how long. A program that retries
   * again as soon as it is refused, such as su in a loop, costs a connection in this time, not in each millisecond.
   */
  heldRefusals: { all: 256, hold: 1_000 },
  /** All local users together, and one of them, on pam-user.sock: a flood must not use up memory. */
  userConnections: 1_024,
  userConnectionsPerUid: 16,
  /** Descriptors for all that is no login, where the process may have few: lingering refusals, LevelDB, libuv. Of the
   * 12 288 that the unit gives, 5 376 are left beside logins and control.sock: LevelDB's 1 000 tables, 512 connections to
   * validation servers, 320 refusals, and helpers. */
  otherDescriptors: 864,
  /** Logins of one name whose first factor is verified: an account uses up its own places only. */
  loginsPerAccount: 256,
  /** Servers of one realm: Yubico's own are five. All are asked at once, each over a separate connection. */
  validationServers: 8,
  /**
   * OTPs that servers are asked about at a time: of logins whose first factor is verified, which wait for a slot, and
   * of unverified ones, which do not. own: of one account, and of the unverified of one source.
   */
  validationsVerified: { all: 48, own: 4, waiting: 1_024 },
  validationsUnverified: { all: 16, own: 2, waiting: 0 },
  /** Threads for NSS: a backend that hangs holds one each. */
  nssThreads: 16,
  nssQueue: 4_096,
  /** Of nssThreads, for unverified logins (own: of one real uid or address), and for all that is asked on control.sock. That
   * leaves 3 for logins whose first factor is verified, whatever hangs. */
  unverifiedLookups: { all: 4, own: 2, waiting: 1_024, ownWaiting: 64 },
  controlLookups: { all: 9, own: 9, waiting: 2_048, ownWaiting: 2_048 },
  /** Of controlLookups, for accounts that move. */
  movingLookups: 4,
} as const;
