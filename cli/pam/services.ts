/** Known services; all others need --stack. */
export interface KnownService {
  /** A file of pam-config/pam.d. */
  readonly stack: string;
  /** Names of the login program in /proc, to verify that a login is new. */
  readonly programs: readonly string[];
  /** The program runs before the login (getty becomes login): the start of its children is the time of the login. */
  readonly waits?: true;
}

const table: Readonly<Record<string, KnownService>> = {
  sshd: { stack: 'sallyport-sshd', programs: ['sshd', 'sshd-session', 'sshd-auth'] },
  sudo: { stack: 'sallyport-sudo', programs: ['sudo'] },
  'sudo-i': { stack: 'sallyport-sudo', programs: ['sudo'] },
  su: { stack: 'sallyport-su', programs: ['su'] },
  'su-l': { stack: 'sallyport-su', programs: ['su'] },
  login: { stack: 'sallyport-login', programs: ['login'], waits: true },
  remote: { stack: 'sallyport-remote', programs: ['login'], waits: true },
};

const lockers = new Set([
  ...[
    'i3lock',
    'swaylock',
    'xsecurelock',
    'xscreensaver',
    'waylock',
    'gtklock',
    'hyprlock',
    'physlock',
    'vlock',
  ],
  ...['slock', 'light-locker', 'xlock', 'xtrlock'],
]);

export function knownService(service: string): KnownService | undefined {
  if (lockers.has(service)) return { stack: 'sallyport-locker', programs: [] };
  return Object.hasOwn(table, service) ? table[service] : undefined;
}

/** Files that services include, and that are not services. */
const fragment =
  /^(?:common-|sallyport-|system-auth|password-auth|smartcard-auth|fingerprint-auth|postlogin|config-util)/;

export function isService(name: string): boolean {
  return !fragment.test(name);
}

/** Services that share the program of another one, whose file they include. */
const twins: Readonly<Record<string, string>> = { 'su-l': 'su', 'sudo-i': 'sudo', remote: 'login' };

export function isTwinOf(service: string, other: string): boolean {
  return Object.hasOwn(twins, service) && twins[service] === other;
}

/** Aliases of a service with the same program: "sudo -i" is sudo-i. */
export function otherNamesOf(service: string): readonly string[] {
  const stack = knownService(service)?.stack;
  return Object.keys(twins).filter((name) => isTwinOf(name, service) && knownService(name)?.stack === stack);
}

/** Threat: libpam accepts paths; the CLI accepts only names of files in /etc/pam.d. */
export function isServiceName(name: string): boolean {
  return /^[A-Za-z0-9][\w.@-]{0,63}$/.test(name);
}

/** The sshd drop-in of each stack. */
export const dropIns: Readonly<Record<string, string>> = {
  'sallyport-sshd': 'sallyport-password-code.conf',
  'sallyport-sshd-key': 'sallyport-key-code.conf',
  'sallyport-one-prompt': 'sallyport-one-prompt.conf',
};
