/**
 * The secret part of a sign-in link, out of the whole address as it is printed and sent, or alone.
 * What is neither is passed on as it is: the daemon says that it is none.
 */
export function linkIn(typed: string): string {
  const text = typed.trim();
  const [, invite] = /^https?:\/\/[^/]+\/invite\/([^/?#]+)$/.exec(text) ?? [];
  const [, own] = /^https?:\/\/[^/]+\/sign-in\?link=([^&#]+)$/.exec(text) ?? [];
  return invite ?? own ?? text;
}
