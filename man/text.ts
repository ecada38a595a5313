/** Texts that only the manual pages contain. */

export const seeAlso: Readonly<Record<string, 5 | 8>> = {
  sallyport: 8,
  sallyportd: 8,
  'sallyport.toml': 5,
  pam_sallyport: 8,
};

export const files: readonly (readonly [path: string, about: string])[] = [
  ['/etc/sallyport/sallyport.toml', 'the configuration; it holds no secret'],
  ['/etc/sallyport/master.key', 'the master key: anyone who has it and the store can read every secret'],
  ['/var/lib/sallyport/store', 'the store: factors, marks, counts and the audit trail, sealed'],
  ['/var/lib/sallyport/anchor', 'tells an older copy of the store from the present one'],
  ['/run/sallyport/', 'the sockets'],
];

export const environment: readonly (readonly [name: string, about: string])[] = [
  ['CREDENTIALS_DIRECTORY', 'where systemd has put the credential master.key; it comes before the file'],
  ['LISTEN_FDS', 'sockets that the service manager passes on, named pam, pam-user and control'],
  ['NOTIFY_SOCKET', 'socket for readiness, status and, with WATCHDOG_USEC, keep-alive messages'],
];

export const signals: readonly (readonly [name: string, about: string])[] = [
  ['HUP', 'reads the configuration again; a bad one leaves the last good one in force'],
  ['TERM , INT', 'shuts down: answers being verified are completed, prompts are asked to try again'],
];
