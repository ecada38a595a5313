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
