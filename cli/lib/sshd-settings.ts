/** sshd_config as sshd itself resolves it: keywords in lower case, values as "sshd -T" prints them. */
export type SshdSettings = ReadonlyMap<string, string>;

/** @param text of "sshd -T"; a keyword that comes again (AcceptEnv, HostKey) keeps its first value */
export function readSettings(text: string): SshdSettings {
  const settings = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, keyword = '', value = ''] = /^(\S+)\s+(.*)$/.exec(line) ?? [];
    if (keyword !== '' && !settings.has(keyword.toLowerCase())) settings.set(keyword.toLowerCase(), value);
  }
  return settings;
}

/** /run/sshd is made when sshd starts: that it is missing says nothing of the configuration. @param fault what sshd said */
export function isNotRunning(fault: string): boolean {
  return /privilege separation directory/i.test(fault);
}

/** Every value of a keyword that stands in several lines, as AllowUsers does. */
export function valuesOf(text: string, keyword: string): readonly string[] {
  return text.split('\n').flatMap((line) => {
    const [first = '', ...values] = line.trim().split(/\s+/);
    return first.toLowerCase() === keyword ? values : [];
  });
}

/** One list of AuthenticationMethods: all of them, in order. "any": one of those that are on. */
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

/** An address that nobody has (RFC 5737): what Match says of the world outside. */
export const outside = '192.0.2.1';
