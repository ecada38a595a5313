/**
 * All findings of doctor by stable id; docs/reference/doctor-findings.md has one row for each.
 *
 * error: a lockout, or a login without the second factor; doctor exits with status 1.
 * warning: one further failure would cause an error. note: may be intended.
 */
export type Severity = 'ok' | 'note' | 'warning' | 'error';

interface Entry {
  readonly severity: Exclude<Severity, 'ok'>;
  /** The consequence, as the report states it. */
  readonly impact: string;
}

const error = (impact: string): Entry => ({ severity: 'error', impact });
const warning = (impact: string): Entry => ({ severity: 'warning', impact });
const note = (impact: string): Entry => ({ severity: 'note', impact });

export const catalogue = {
  'not-checked': note('not checked'),
  'check-failed': warning('not checked, because the check failed'),
  'check-too-slow': warning('not checked, because a service did not respond in time'),

  'daemon.down': error("logins through protected services are refused, except root's at the console"),
  'daemon.not-running': warning('no account is locked out, because no service is protected yet'),
  'daemon.not-initialised': warning('factors cannot be verified'),
  'daemon.version-mismatch': warning('the output of this command may differ from what the daemon does'),

  'config.invalid': warning('an older configuration stays active, and the file has no effect'),
  'config.no-fallback': error('sallyportd cannot start again: there is no last valid configuration'),
  'config.missing': warning('an older configuration stays active, at most until the next start'),
  'config.not-in-force': warning('the content of the file has no effect'),
  'config.deprecated': note('the next release rejects the former name, and with it the file'),
  'config.not-loaded': note('changes since then have no effect yet'),

  'mode.writable': error('users who can write there control logins'),
  'mode.owner': error('that account controls logins, or sallyportd refuses to start'),
  'mode.readable': error(
    'others can read a secret; with such a master key sallyportd refuses its next start',
  ),
  'mode.store-open': warning('others can copy the encrypted store, and need only the master key to read it'),

  'key.missing': error('no record can be read after the next start: every member is refused'),
  'key.changed': warning('if it is not the key of this store, the next start fails'),
  'key.in-git': warning(
    'anyone who can read that repository or a copy can read every secret of a copied store',
  ),
  'key.beside-store': warning('one stolen backup contains both the encrypted secrets and their key'),

  'store.missing': error('sallyportd does not start: logins through protected services are refused'),
  'store.unwritable': error('logins that need a factor are refused until it is writable'),
  'store.damaged': error('the affected accounts are refused'),
  'store.anchor-behind': warning('after a crash, an older copy of the store could be accepted as current'),
  'store.unread': warning('damage would be found only by a login'),
  'store.no-reserve': warning('on a full disk sallyportd could not start'),

  'socket.missing': error('logins that use it are refused'),
  'socket.owner': error('the module rejects a server that is neither root nor the service manager'),
  'socket.silent': error('logins that use it wait, and are refused'),
  'socket.foreign-process': error('logins ask a program that is not sallyportd'),
  'socket.open': warning(
    'any local user can fill its backlog, which looks like a missing daemon: root could then log in at the console without a factor',
  ),
  'socket.closed': warning('users cannot run sallyport, and screen lockers stay locked'),

  'helper.password-unreachable': warning(
    'the portal and "sallyport factor" of users cannot verify passwords',
  ),
  'helper.password-none': note('users cannot manage their own factors'),
  'helper.password-service': warning('every password entered in Sallyport itself is refused'),
  'helper.fido-unreachable': note('security keys plugged into this machine cannot be used'),

  'clock.unsynchronised': warning(
    'codes of apps are refused once the clock is off by more than totp.skew of the realm',
  ),
  'clock.behind': error('codes of apps and grace periods are refused until the clock is right'),
  'clock.no-skew': note('a code is refused as soon as its period ends, which affects slow typists'),

  'realm.group-gone': error(
    'every login of an account outside the earlier realms is refused until the group exists',
  ),
  'realm.group-unknown': error(
    'while it is unknown, every login of an account outside the earlier realms is refused',
  ),
  'realm.group-observed': warning(
    'none in observe mode; afterwards every login of an account outside the earlier realms is refused',
  ),
  'realm.group-empty': note('the group adds no account to the realm'),
  'realm.user-gone': warning('the name matches no account; a typo would leave someone out'),
  'realm.service-unknown': warning('the rule matches no login of this machine under this name'),
  'realm.observing': warning('accounts of the realm are neither asked nor refused, whatever it requires'),
  'realm.no-account': warning(
    'the realm applies to no account; the intended accounts get a later realm, which may require less',
  ),

  'member.no-factor': error('they are refused'),
  'member.no-accepted-factor': error('they are refused'),
  'member.all-disabled': error('they are refused'),
  'member.key-unavailable': error('they are refused'),
  'member.grace-expired': error('they are refused'),
  'member.locked': error('they are refused until the lockout ends or is cleared'),
  'member.held': warning(
    'until then codes of their apps are refused: after a restore they may already be used',
  ),
  'member.unresolved': error('they are refused until the directory service responds'),
  'member.damaged': error('they are refused'),
  'member.uid-changed': error('they are refused: the factors under the name are another person’s'),
  'member.gone': warning('the next account with the name is refused until an administrator decides'),
  'member.bad-name': note('no login can use it; if it is mistyped, an account is missing from the realm'),
  'member.refused-by-rule': note('a rule refuses them, as configured'),
  'member.only-from': note('they can log in only from the networks of a rule'),
  'member.grace': note('they are refused after the grace period'),
  'member.not-ready': warning('they are refused once a service is protected'),

  'admin.only-root': note('only root is an administrator'),

  'secrets.shown': warning(
    'if that program logs what it shows, readers of the log get the secrets of users who enrol',
  ),

  'sshd.config-bad': error('sshd cannot start again, and on some systems accepts no new connections'),
  'sshd.pam-off': error('sshd does not use PAM: logins with keys need no second factor'),
  'sshd.single-factor': error('these logins never reach the second factor'),
  'sshd.no-conversation': error('no enabled method can ask for the code: every login is refused'),
  'sshd.password-answers-twice': warning('clients that use the password method are refused, code or not'),
  'sshd.key-not-asked': error('every such login is refused'),
  'sshd.key-and-password': warning('logins need a key, the password and a code'),
  'sshd.root-shut-out': warning('sshd admits root only with a key, which its methods do not allow'),
  'sshd.empty-passwords': warning('for accounts without a password the code is the only factor'),
  'sshd.drop-in-unread': warning('the file has no effect'),
  'sshd.grace-short': warning('logins end before a code is typed'),
  'sshd.penalties': note(
    'after several wrong codes sshd temporarily blocks the address, with every user behind it',
  ),
  'sshd.host-names': warning(
    'an address that resolves to a host name matches no allowed network, and matches every rule that refuses a network',
  ),
  'sshd.touch-not-required': warning('a plugged-in key counts as the second factor without a touch'),

  'pam.nothing-guarded': note('no service requires a second factor'),
  'pam.service-refused': error('libpam refuses every login of this service'),
  'pam.line-broken': error('logins that run this line are refused'),
  'pam.line-empty': error('the lines meant are missing, possibly the password check'),
  'pam.module-missing': error('logins through this stack fail'),
  'pam.skipped': error('logins can pass the stack without a second factor'),
  'pam.refusal-ignored': error('a refusal of the second factor does not end the login'),
  'pam.ignore-refused': error('accounts that need no second factor are refused'),
  'pam.first-factor-unverified': error(
    'a login without the correct password counts as verified, and can cause lockouts of others',
  ),
  'pam.asked-twice': error('the second prompt requires another code: most logins are refused'),
  'pam.wrong-phase': warning('the line does nothing'),
  'pam.other-socket': error('the module connects to a socket on which this sallyportd does not listen'),
  'pam.alias-unprotected': warning('the same program allows logins without a second factor'),
  'pam.reach': note('these programs also require the second factor, and some may be unable to ask for it'),
  'pam.try-open': note('the change is rolled back unless it is confirmed'),

  'root.no-console-fallback': warning(
    'while sallyportd is unavailable, no account can log in at the console either',
  ),
  'root.way-around': error(
    "while sallyportd is unavailable, root's password is enough there, even for a local user at a serial line",
  ),
  'root.no-password': warning('root cannot log in at the console, even while sallyportd is available'),
  'root.no-shell': warning('a login of root ends at once'),

  'disk.full': error('nothing can be stored: logins that need a factor are refused'),
  'disk.low': warning('when it is full, logins that need a factor are refused'),
  'disk.log': warning('when it is full, events are no longer logged'),

  'portal.certificate-unreadable': error(
    'the portal does not start: security keys in browsers cannot approve logins',
  ),
  'portal.certificate-expired': error(
    'browsers reject the portal: security keys in browsers cannot approve logins',
  ),
  'portal.certificate-early': error(
    'browsers reject the portal: security keys in browsers cannot approve logins',
  ),
  'portal.certificate-ends': warning('from then on browsers reject the portal'),
  'portal.certificate-name': error('browsers reject the portal under that name'),
  'portal.certificate-key': error(
    'the portal does not start: security keys in browsers cannot approve logins',
  ),
  'portal.key-closed': error('the portal does not start: security keys in browsers cannot approve logins'),
  'portal.user-gone': warning('sallyportd rejects the portal: no user can sign in there'),
  'portal.listen-elsewhere': error(
    'the portal does not start: security keys in browsers cannot approve logins',
  ),
  'host.unresolved': warning(
    'OTPs that this host validates are refused; only clients that resolve the name reach a portal there',
  ),
  'portal.localhost': note('security keys work only in browsers on this machine'),
  'portal.no-relying-party': warning('the realm accepts security keys, but none can be added or used'),
} as const satisfies Readonly<Record<string, Entry>>;

export type FindingId = keyof typeof catalogue;

export const findingIds = Object.keys(catalogue) as readonly FindingId[];
