import { floodLimits } from './limits/flood.ts';
import { poolLimits } from './limits/pools.ts';
import { storeLimits } from './limits/store.ts';

/**
 * Every limit of the daemon, with its reason. Sizes are bytes, times are milliseconds.
 * The tests try each from both sides.
 */
export const limits = {
  /** A frame holds one sshd certificate line at the most; docs/reference/protocol.md. */
  frameLength: 16_384,
  /** PAM applications cut answers at 512 bytes; a passphrase and a key fit twice. */
  answerLength: 1024,
  /** Longest text in a PROMPT, INFO or ERROR frame: a QR code in half blocks fits. */
  textLength: 4096,
  serviceLength: 64,
  /** Names of realms have 64 characters at the most (config/fields.ts). */
  realmLength: 256,
  /** LOGIN_NAME_MAX on Linux; longer names are no account. */
  userLength: 256,
  rhostLength: 256,
  ttyLength: 128,
  sessionLength: 128,
  /**
   * SSH_AUTH_INFO_0 with a certificate; what is longer is left out by the module, so the first factor is not verified.
   */
  sshAuthInfoLength: 12_288,

  /** HELLO must follow the connection at once: a silent peer holds a place. */
  helloWait: 5_000,
  /** The module calls a daemon silent after 5 s; design: WAIT within 1 s of HELLO. */
  firstWait: 500,
  /** The module gives up after 15 s of silence; three WAITs may be late. */
  waitInterval: 4_000,
  /** The daemon ends before the module does, so that the user reads why. */
  deadlineMargin: 1_000,
  /** After connections could not be taken for want of descriptors or memory; they wait in the queue. */
  acceptPause: 100,
  /** A whole frame with its length, and a byte of the next. */
  connectionRead: 16_389,
  /**
   * What a client may leave unread beyond what the kernel keeps (some 200 KiB): all texts of a login fit. And how long it
   * may take to read the rest of a login that has ended.
   */
  unsentBytes: 65_536,
  unsentWait: 5_000,
  /** When the daemon stops: running decisions have so long to finish, because their codes are consumed already. */
  stopWait: 3_000,
  /** `timeout=` of the module, from both sides. */
  shortestDeadline: 1_000,
  longestDeadline: 600_000,
  /** Answers in one call; design: up to 3. */
  answersPerCall: 3,
  /** How often audit events over age or count are dropped. */
  pruneInterval: 3_600_000,
  /** Refused connections that are still heard out, and for how long: a flood must not hold descriptors. */
  refusedLingering: 256,
  refusedWait: 1_000,
  controlRefusedLingering: 64,

  /** All validation servers together: the module hears WAIT meanwhile. */
  validationWait: 8_000,
  /** The same for an unverified login, and when its refusal leaves, servers or not: their time must reveal nothing. */
  unverifiedValidationWait: 3_500,
  unverifiedOtpHold: 4_000,

  /** Base64url of 1 023 bytes (W3C Web Authentication Level 3, 4, "Credential ID"). */
  credentialIdText: 1_364,
  /** Of legacy keys: what the FIDO helper takes as a relying party; a longer one would spoil the question for all. */
  appIdLength: 255,
  /** Base64url of what a browser answers; a link with the longest name in it. */
  browserAnswer: 32_768,
  linkLength: 512,
  /** Tokens at a time, in all and of one account, the one given first gives way; how long each is valid for
   * changes, unused, and in all. */
  tokens: 4_096,
  tokensPerAccount: 32,
  tokenChanges: 5 * 60_000,
  tokenIdle: 15 * 60_000,
  tokenReads: 8 * 3_600_000,
  /** Sign-ins that wait for a factor, of all and of one account, and how long each may; enrolments in browsers too. */
  signIns: 1_024,
  /**
   * First factors verified at a time: of users who are signed in or familiar there, of strangers at the portal, and of
   * programs of local users; `passwordChecks` together, so that the helper is never asked by more.
   */
  signInSlots: { verified: 2, portal: 4, local: 2 },
  /** Those that wait, of each of the three and of one source, and how long: clients wait for 32 s. */
  signInWaiting: { all: 512, own: 32 },
  signInWait: 15_000,
  /** How long a check lasts at least, whatever comes of it; how many are remembered to say how long, and till when. */
  signInSlot: { least: 500, remembered: 32, forgotten: 300_000 },
  /** Names with the source that they signed in from, which share nothing with strangers. */
  familiarSources: 4_096,
  signInsPerAccount: 8,
  signInDeadline: 120_000,
  /** Sign-in links: to be opened at once. */
  links: 1_024,
  linksPerAccount: 8,
  linkDeadline: 10 * 60_000,
  inviteDeadline: 24 * 3_600_000,
  /** Pages that wait for logins of their person. */
  approvalFollowers: 1_024,
  /** Approvals in a browser: how long one waits, and how many of one account. */
  approvalDeadline: 90_000,
  approvalsPerAccount: 3,
  /**
   * Enrolments of plugged-in keys at a time; how long the user may look for the key; a poll; and how long the client
   * may be silent before the keys stop blinking.
   */
  ceremonies: 16,
  ceremonyDeadline: 90_000,
  ceremonyPoll: 5_000,
  ceremonyIdle: 15_000,
  /** The FIDO Alliance's whole BLOB has some 10 MB. */
  metadataFile: 33_554_432,
  /** docs/reference/protocol.md, "The FIDO helper". Keys that are asked at a time: a hub full of them. */
  pluggedKeys: 8,
  keyNameLength: 128,
  /** Relying parties in one question. */
  fidoParties: 16,
  /** Their ids and those of credentials in one question: the rest of a frame is for its other fields. */
  fidoIdBytes: 14_336,
  fidoDetailLength: 256,
  /** Web Authentication: 1023 bytes at the most. */
  credentialIdLength: 1_023,
  /** 37 bytes, an id and an RSA key come to 1.4 KiB; what libfido2 takes in one message is 2 to 4. */
  authenticatorDataLength: 4_096,
  /** Of the longest name that is registered ("android-safetynet", 17) almost twice. */
  attestationFormatLength: 32,
  /** A chain of certificates; a key's message is shorter. */
  attestationStatementLength: 8_192,
  /** RSA with 4096 bits signs in 512. */
  keySignatureLength: 1_024,
  /** CTAP: a PIN has at most 63 bytes; what is longer is sent as none. */
  pinLength: 255,
  /** The helper reports status changes: only a broken one reports this often. */
  fidoEvents: 1_000,
  /** The helper ends its call at the deadline, and itself by an alarm soon after. */
  fidoLateness: 2_000,
  /** After an outcome or a cancel: the keys stop blinking within half a second. */
  fidoFarewell: 1_000,
  /** So long after a security key was offered its library is loaded: the prompt leaves first, a finger takes longer. */
  keyLibraryDelay: 50,
  /** Listing keys must not hold up a prompt. */
  fidoListWait: 1_000,

  /**
   * docs/reference/protocol.md, "The password helper". Each check is a process of root's; more at a time are a flood.
   */
  passwordChecks: 8,
  /** sssd gives a directory 6 s by default. */
  passwordWait: 10_000,
  /** `deadline` of the helper, from both sides. */
  shortestPasswordDeadline: 100,
  longestPasswordDeadline: 30_000,
  /** PAM's own longest answer twice (PAM_MAX_RESP_SIZE). */
  passwordLength: 1_024,
  passwordSourceLength: 256,

  /** NSS: sssd's own default timeout is 6 s; the module allows 15 s of silence and gets WAITs. */
  nssWait: 8_000,

  /** The service manager is notified every third of this that the start continues; a store of any size is read in an
   * hour. */
  startExtension: 30_000,
  longestStart: 3_600_000,
  /** A disk may hold a sync up for seconds; what takes longer does not come back by itself. */
  stuckWrite: 15_000,
  /** Where no watchdog asks, the line of `systemctl status` is brought up to date this often, and how long it is. */
  statusInterval: 15_000,
  statusLength: 512,

  ...floodLimits,
  ...poolLimits,
  ...storeLimits,
  /** Places of the trail that one search, or one check of the chain, reads: a third of a second's work. */
  trailScan: 20_000,
  /** Faults of one check that are named; all are counted. */
  trailFindings: 100,
  /** Locked accounts are counted again on request, at most a tenth of the time; and a request waits so long. */
  lockCountRest: 10,
  lockCountWait: 500,
  /** How often a store that cannot be written is tried again. */
  reopenInterval: 1_000,
  /** Retries of a commit that met another one: each loser saw a winner. */
  commitTries: 256,

  /** What an admin may let an account off for: a holiday, not for good. */
  exemption: { shortest: 60_000, longest: 30 * 86_400_000, services: 16, reasonLength: 256 },
  factorsPerAccount: 32,
  /**
   * So long after it was accepted the replay of an answer without a time window is not counted: parallel attempts, and
   * a program that retries.
   */
  replayWindow: 60_000,
  /**
   * Seconds of a step of TOTP. RFC 6238 recommends 30; shorter leaves no time to type, longer lets a code lie about.
   */
  totpPeriod: { least: 15, most: 300 },

  /** Validity of a bypass code: from a phone call to a working day. */
  bypass: { shortest: 60_000, usual: 3_600_000, longest: 86_400_000 },
  grantsPerAccount: 32,
  factorNameLength: 64,
  /** A .pub file: a FIDO key takes up to 600 characters; the rest is its comment. */
  sshKeyText: 4_096,
  /** A request body on control.sock: an enrolment is under 2 KiB. */
  requestBody: 65_536,
  /** One that imports: its accounts are committed together and share a sync. */
  importBody: 1_048_576,
  movedAccounts: 256,
  /** One request that imports: 256 accounts of a directory that takes a second for each. */
  importWait: 120_000,
  /** Factors of one account of another system: twice what may come over, so that each gets its own error. */
  movedFactors: 64,
  /** Codes of one set: both systems make ten or fewer. */
  movedCodes: 64,
  /** A name is cut to fit; longer text is not a name. */
  movedNameLength: 1_024,
  controlConnections: 256,
  controlConnectionsPerUid: 32,
  /** The portal's: its calls, and a stream for each page that is open. */
  controlConnectionsOfPortal: 1_280,
  controlRequestWait: 10_000,
  /** `audit --follow` streams at a time; how many are kept for root and sallyport-notify; and of one other uid. */
  auditFollowers: 64,
  auditFollowersKept: 8,
  auditFollowersPerUid: 4,
  /** What a follower may have unread before it is let go: some 4 000 events. */
  auditFollowUnread: 1_048_576,
  /** Between two looks at how the store is, for those who follow. */
  troubleCheck: 1_000,
  /** Between two checks that a follower's token is still valid. */
  followCheck: 5_000,
  /** Our client sends five headers; Node's own limit is 16 KiB and 2 000. */
  controlHeaderBytes: 8_192,
  controlHeaders: 32,
  pageSize: 1_000,
  /** Accounts in one question of `report`; how many are looked up at once, of all questions: beside accounts that
   * move it leaves NSS a thread for logins; and how long it goes on asking, since clients wait for 32 s. */
  reportAccounts: 200,
  reportAtOnce: 3,
  reportWait: 16_000,
  /** So long a page of the list of accounts goes on looking names up: the client waits for it. */
  listWait: 3_000,
  /** Accounts that are gone are counted in the background: so many lookups, then a rest: a million take 5 hours. It
   * begins when the rush after a start is over, retries when the name service was unavailable, and keeps at most
   * so many names. */
  presenceCount: {
    first: 5_000,
    batch: 16,
    pause: 250,
    retry: 60_000,
    interval: 3_600_000,
    kept: 10_000,
  },

  /** Names and sources in the table of unverified failures; the oldest is evicted. */
  unverifiedEntries: 16_384,
  /** Failures in a row that a name or a source may have, and how soon one of them is forgotten: a
   * person who mistypes never reaches it, an attacker gets 120 (360) attempts an hour. */
  unverifiedPerName: { burst: 10, forgetOneIn: 30_000 },
  unverifiedPerSource: { burst: 30, forgetOneIn: 10_000 },
  /** Refusals of unverified logins leave on this beat, so that their time reveals nothing. */
  refusalBeat: 250,
  /** When one took longer, all take as long, up to this, for so long: a machine under load answers names alike. */
  slowestBeat: 4_000,
  slowBeatFor: 600_000,
  /** Unknown names are logged in one line this often. */
  unknownNamesInterval: 60_000,
  /** What NSS said at HELLO is asked again for an answer that comes later than this. */
  lookupAge: 2_000,
} as const;
