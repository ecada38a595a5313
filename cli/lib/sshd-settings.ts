/** sshd_config as resolved by sshd: lower-case keywords, values as "sshd -T" prints them. */
export type SshdSettings = ReadonlyMap<string, string>;

/** @param text of "sshd -T"; a repeated keyword (AcceptEnv, HostKey) keeps its first value */
export function readSettings(text: string): SshdSettings {
  const settings = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, keyword = '', value = ''] = /^(\S+)\s+(.*)$/.exec(line) ?? [];
    if (keyword !== '' && !settings.has(keyword.toLowerCase())) settings.set(keyword.toLowerCase(), value);
  }
  return settings;
}

/** /run/sshd is created when sshd starts: its absence is not a configuration error. @param fault sshd's message */
export function isNotRunning(fault: string): boolean {
  return /privilege separation directory/i.test(fault);
}

/** All values of a keyword that may be on several lines, such as AllowUsers. */
export function valuesOf(text: string, keyword: string): readonly string[] {
  return text.split('\n').flatMap((line) => {
    const [first = '', ...values] = line.trim().split(/\s+/);
    return first.toLowerCase() === keyword ? values : [];
  });
}

/** One list of AuthenticationMethods: all are required, in order. "any": any enabled method. */
export function methodLists(settings: SshdSettings): readonly (readonly string[])[] {
  const text = settings.get('authenticationmethods') ?? 'any';
  if (text !== 'any')
    return text.split(/\s+/).map((list) => list.split(',').map((method) => method.split(':')[0] ?? ''));
  const on = (keyword: string) => settings.get(keyword) === 'yes';
  return [
    ...(on('pubkeyauthentication') ? [['publickey']] : []),
    ...(on('passwordauthentication') ? [['password']] : []),
    ...(on('kbdinteractiveauthentication') ? [['keyboard-interactive']] : []),
    ...(on('hostbasedauthentication') ? [['hostbased']] : []),
    ...(on('gssapiauthentication') ? [['gssapi-with-mic']] : []),
  ];
}

/** An unassigned address (RFC 5737): represents an outside source in Match blocks. */
export const outside = '192.0.2.1';
