/** The part of limits.ts that bounds what a flood leaves behind: events, lines of the log. */
export const floodLimits = {
  /**
   * Events of parties that have verified no factor. Each way in has these for itself, so local users, sources of logins
   * and visitors of the portal do not use up each other's:
   * - `single`: of one party, and about one account, stored singly; the burst is that of `unverifiedPerSource`, which
   *   lets no more answers of one party through;
   * - `ofAll`: of all parties together: a user may own 65 536 uids (subuid), a provider a /32;
   * - `parties`: how many are distinguished;
   * - `aggregates`: different counts kept between two writes, 1 KiB each; `aggregatesOfOne`: of one party or one
   *   account.
   * One party thus leaves at most 30 + 10 + 64 events a minute, and a few for each reason.
   */
  flood: {
    single: { burst: 30, forgetOneIn: 6_000 },
    ofAll: { burst: 300, forgetOneIn: 200 },
    parties: 16_384,
    aggregates: 1_024,
    aggregatesOfOne: 64,
    interval: 60_000,
  },
  /** Changes that an account makes of itself with a token: each is a separate event. */
  ownChanges: { rate: { burst: 60, forgetOneIn: 1_000 }, accounts: 4_096 },
  /**
   * Parts of the audit trail that may be written in a day before the events of the same party give way to those of
   * others (store/sealed/trail-shares.ts): by one account or party, and by all that have verified no factor. `beyond`: the room for
   * what is written beyond that. `parties`: how many are distinguished.
   */
  trailShare: { one: 1 / 64, unverified: 1 / 8, beyond: 1 / 8, parties: 16_384 },
  /**
   * Lines of the log, other than those of audit events: of one uid; of one address, which for the portal has a line
   * for each request; of one name that no party is named in, and of all parties together. `counted`: different
   * lines that are counted until the next `interval`.
   */
  logRates: {
    ofUid: { burst: 30, forgetOneIn: 6_000 },
    ofAddress: { burst: 300, forgetOneIn: 500 },
    ofEvent: { burst: 60, forgetOneIn: 1_000 },
    ofAll: { burst: 600, forgetOneIn: 100 },
    parties: 4_096,
    counted: 256,
    interval: 60_000,
  },
} as const;
