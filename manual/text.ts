/** What the pages say that stands nowhere else. */

export const seeAlso: Readonly<Record<string, 5 | 8>> = {
  sallyport: 8,
  sallyportd: 8,
  'sallyport.toml': 5,
  pam_sallyport: 8,
};

export const files: readonly (readonly [path: string, about: string])[] = [
  ['/etc/sallyport/sallyport.toml', 'the configuration; it holds no secret'],
  ['/etc/sallyport/master.key', 'the master key: whoever has it and the store has every seed'],
  ['/var/lib/sallyport/store', 'the store: factors, marks, counts and the audit trail, sealed'],
  ['/var/lib/sallyport/anchor', 'tells an older copy of the store from the present one'],
  ['/run/sallyport/', 'the sockets'],
];
