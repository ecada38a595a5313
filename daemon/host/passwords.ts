/**
 * Passwords of accounts, as the machine's PAM knows them, through `sallyport-password`: the one program of ours
 * that is root, and that answers one question and ends. sallyportd itself never sees a shadow file.
 */
export interface PasswordHelper {
  /**
   * Whether this is the account's password, and the account may log in at all (pam_authenticate and
   * pam_acct_mgmt of the service `sallyport-password`). Never rejects.
   * @param password wiped before it returns
   */
  check(question: PasswordQuestion): Promise<PasswordVerdict>;
  /**
   * Whether it is certain that the account has no password: only then its uid, or a link that its uid made, may stand
   * in for one. False if that is unknown. Never rejects.
   * @param user canonical name
   */
  lacksPassword(user: string): Promise<boolean>;
}

export interface PasswordQuestion {
  /** Canonical name. */
  readonly user: string;
  readonly password: Buffer;
  /** The user's address, for PAM's own log; undefined at the machine itself. */
  readonly source?: string;
}

/**
 * right; wrong: the password, or an account that may not log in, which are not distinguished; expired: right, and has
 * to be changed first; busy: eight are under way; failed: the helper is not there, died, PAM is broken, or the stack
 * asks for more than a password.
 */
export type PasswordVerdict = 'right' | 'wrong' | 'expired' | 'busy' | 'failed';
