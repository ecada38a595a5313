/** Where the secret stands: behind "#", which no browser sends; in links of earlier versions in the path or query. */
const forms = [
  /^https?:\/\/[^/]+\/invite[#/]([^/?#]+)$/,
  /^https?:\/\/[^/]+\/sign-in[?#]link=([^&#]+)$/,
] as const;

/**
 * The secret part of a sign-in link, out of the whole address as it is printed and sent, or alone.
 * What is neither is passed on as it is: the daemon says that it is none.
 */
export function parseLink(typed: string): string {
  const text = typed.trim();
  for (const form of forms) {
    const secret = form.exec(text)?.[1];
    if (secret !== undefined) return secret;
  }
  return text;
}
