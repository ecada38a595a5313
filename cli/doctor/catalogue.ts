/**
 * Everything that doctor can find, by its stable id; docs/reference/doctor-findings.md has one row for each.
 *
 * error: it locks somebody out, or lets somebody in without the factor; doctor ends with status 1.
 * warning: one more thing gone wrong, and it would. note: as it may be meant to be.
 */
export type Severity = 'ok' | 'note' | 'warning' | 'error';

interface Entry {
  readonly severity: Exclude<Severity, 'ok'>;
  /** What it causes, for whoever reads the report. */
  readonly impact: string;
}

const error = (impact: string): Entry => ({ severity: 'error', impact });
const warning = (impact: string): Entry => ({ severity: 'warning', impact });
const note = (impact: string): Entry => ({ severity: 'note', impact });

export const catalogue = {
  'not-checked': note('nothing is known about this part; it may be good or bad'),
  'check-failed': warning('nothing is known about this part; the check itself has a defect'),
  'check-too-slow': warning('nothing is known about this part; something it asks does not answer'),

  'daemon.down': error("guarded logins are refused, but for root's way in at the console"),
  'daemon.not-running': warning(
    'nothing is guarded yet, so nobody is locked out; whoever is guarded now would be',
  ),
  'daemon.not-initialised': warning('there is nothing to check factors against'),
  'daemon.version-mismatch': warning('what this command says may not be what the daemon does'),

  'config.invalid': warning('an older configuration stays in force, and the file is not what decides'),
  'config.no-fallback': error('sallyportd does not start again: there is no last good configuration'),
  'config.missing': warning('an older configuration stays in force until the next start at the latest'),
  'config.not-in-force': warning('what stands in the file is not what decides'),
  'config.deprecated': note('the next release rejects the former name, and with it the file'),
  'config.not-loaded': note('what was changed since does not count yet'),

  'mode.writable': error('whoever can write there decides who gets in'),
  'mode.owner': error('that account decides who gets in, or sallyportd refuses to start'),
  'mode.readable': error(
    'others can read a secret; sallyportd refuses a master key like that at its next start',
  ),
  'mode.store-open': warning('others can copy the sealed store, and need only the master key to read it'),

  'key.missing': error('no record can be read after the next start: every member is refused'),
  'key.changed': warning('where it is not the key of this store, the next start fails'),
  'key.in-git': warning(
    'whoever can read that repository or a copy of it can read every seed of a copied store',
  ),
  'key.beside-store': warning('one stolen backup holds both the sealed seeds and the key to them'),

  'store.missing': error('sallyportd does not start: guarded logins are refused'),
  'store.unwritable': error('logins that need a factor are refused until it can be written'),
  'store.damaged': error('the accounts concerned are refused'),
  'store.anchor-behind': warning('after a crash, an older copy of the store could pass for the present one'),
  'store.unread': warning('damage would be found by a login, not before'),
  'store.no-reserve': warning('on a full disk sallyportd could not start'),

  'socket.missing': error('whoever comes that way is refused'),
  'socket.owner': error('the module refuses a server that is neither root nor the service manager'),
  'socket.silent': error('whoever comes that way waits, and is refused'),
  'socket.foreign-process': error('logins ask a program that is not sallyportd'),
  'socket.open': warning(
    'any local user can fill its backlog, which looks like no daemon: a way in for root at the console',
  ),
  'socket.closed': warning('users cannot use the command, and screen lockers stay locked'),

  'helper.password-unreachable': warning(
    'the portal and "sallyport factor" of users cannot check a password',
  ),
  'helper.password-none': note('users cannot look after their own factors'),
  'helper.password-service': warning('every password typed into Sallyport itself is refused'),
  'helper.fido-unreachable': note('security keys plugged into this machine cannot be asked'),

  'clock.unsynchronised': warning(
    'codes of apps are refused once the clock is off by more than totp.skew of the realm',
  ),
  'clock.behind': error('codes of apps and grace periods are refused until the clock is right'),
  'clock.no-skew': note('a code is refused as soon as its period ends, which slow typists meet'),

  'realm.group-gone': error(
    'every login of an account that no earlier realm takes is refused, until the group exists',
  ),
  'realm.group-unknown': error(
    'while it is not known, every login of an account that no earlier realm takes is refused',
  ),
  'realm.group-observed': warning(
    'nothing while these realms only observe; then every login of an account that no earlier realm takes is refused',
  ),
  'realm.group-empty': note('the group brings nobody into the realm'),
  'realm.user-gone': warning('the name brings no account into the realm; a mistyped name leaves one out'),
  'realm.service-unknown': warning('the rule matches no login of this machine by this name'),
  'realm.observing': warning('nobody of the realm is asked or refused, whatever it requires'),
  'realm.nobody': warning(
    'the realm decides for nobody; those meant fall to a later one, perhaps a laxer one',
  ),

  'member.no-factor': error('they are refused'),
  'member.no-accepted-factor': error('they are refused'),
  'member.all-disabled': error('they are refused'),
  'member.key-unavailable': error('they are refused'),
  'member.grace-expired': error('they are refused'),
  'member.locked': error('they are refused until the lock ends or is lifted'),
  'member.held': warning(
    'the store was restored: until then codes of their apps are refused, since they may have been used before',
  ),
  'member.unresolved': error('they are refused until the directory answers'),
  'member.damaged': error('they are refused'),
  'member.uid-changed': error('they are refused: the factors under the name are another person’s'),
  'member.gone': warning('who gets the name next is refused until an administrator decides'),
  'member.refused-by-rule': note('a rule refuses them, as it says'),
  'member.only-from': note('they are let in from the networks of a rule alone'),
  'member.grace': note('they are refused from the end of the grace period on'),
  'member.not-ready': warning('nothing is guarded yet; once it is, they are refused'),

  'admin.nobody': note('root alone administers'),

  'secrets.shown': warning(
    'where that program logs what it shows, readers of the log have the secrets of people who enrol',
  ),

  'sshd.config-bad': error('sshd does not start again, nor take new connections on some systems'),
  'sshd.pam-off': error('sshd asks no PAM stack: keys let in without a second factor'),
  'sshd.single-factor': error('these logins never reach the second factor'),
  'sshd.no-conversation': error('the code can be asked for in no way that is on: everybody is refused'),
  'sshd.password-answers-twice': warning('clients that use the password method are refused, code or not'),
  'sshd.key-not-asked': error('everybody who comes that way is refused'),
  'sshd.key-and-password': warning(
    'logins need a key, the password and a code: who lacks one of them is refused',
  ),
  'sshd.root-shut-out': warning(
    'sshd lets root in by nothing but a key alone, which its methods do not allow',
  ),
  'sshd.empty-passwords': warning('for accounts without a password the code is the only factor'),
  'sshd.drop-in-unread': warning('what the file says does not count'),
  'sshd.grace-short': warning('logins end before a code is typed'),
  'sshd.penalties': note(
    'after some wrong codes in a row an address is shut out for a while, with all behind it',
  ),
  'sshd.host-names': warning(
    'where a host name is found for an address, no network lets it in, and each rule that refuses a network refuses it',
  ),
  'sshd.touch-not-required': warning(
    'a plugged-in key counts as the second factor without anybody touching it',
  ),

  'pam.nothing-guarded': note('logins are as they were: nobody is asked for a second factor'),
  'pam.service-refused': error('libpam refuses every login of this service'),
  'pam.line-broken': error('logins that come by this line are refused'),
  'pam.line-empty': error('what the line was to bring in does not count, a password perhaps'),
  'pam.module-missing': error('logins through this stack fail'),
  'pam.skipped': error('there is a way through the stack that asks for no second factor'),
  'pam.refusal-ignored': error('a refusal of the second factor does not end the login'),
  'pam.ignore-refused': error('whoever needs no second factor is refused'),
  'pam.first-factor-unverified': error(
    'who does not know the password is treated as if they did, and can lock others',
  ),
  'pam.asked-twice': error('the second question wants another code than the first: most are refused'),
  'pam.wrong-phase': warning('the line does nothing'),
  'pam.other-socket': error('the module asks a socket on which this sallyportd does not listen'),
  'pam.alias-unprotected': warning('the same program has a way in that asks for no second factor'),
  'pam.reach': note('these programs ask for the second factor too, and not all of them can'),
  'pam.try-open': note('the change is put back by itself unless it is confirmed'),

  'root.no-console-fallback': warning('while sallyportd is away, nobody gets in at the console either'),
  'root.way-around': error(
    "while sallyportd is unavailable, root's password is enough there, also for a local user at a serial line",
  ),
  'root.no-password': warning('root cannot log in at the console, with sallyportd away or not'),
  'root.no-shell': warning('a login of root ends at once'),

  'disk.full': error('nothing can be stored: logins that need a factor are refused'),
  'disk.low': warning('when it is full, logins that need a factor are refused'),
  'disk.log': warning('when it is full, nobody can read what happened'),

  'portal.certificate-unreadable': error('the portal does not start: keys in browsers approve no login'),
  'portal.certificate-expired': error('browsers refuse the portal: keys in browsers approve no login'),
  'portal.certificate-early': error('browsers refuse the portal: keys in browsers approve no login'),
  'portal.certificate-ends': warning('from then on browsers refuse the portal'),
  'portal.certificate-name': error('browsers refuse the portal under that name'),
  'portal.certificate-key': error('the portal does not start: keys in browsers approve no login'),
  'portal.key-closed': error('the portal does not start: keys in browsers approve no login'),
  'portal.user-gone': warning('sallyportd takes nobody for the portal: nobody can sign in there'),
  'portal.listen-elsewhere': error('the portal does not start: keys in browsers approve no login'),
  'host.unresolved': warning(
    'OTPs that this host validates are refused; a portal of this name is found by those who resolve it',
  ),
  'portal.localhost': note('keys work in browsers on this machine alone'),
  'portal.no-relying-party': warning('the realm takes security keys, and none can be added or used'),
} as const satisfies Readonly<Record<string, Entry>>;

export type FindingId = keyof typeof catalogue;

export const findingIds = Object.keys(catalogue) as readonly FindingId[];
