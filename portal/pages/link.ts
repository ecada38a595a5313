/**
 * Secrets of links follow "#" in the address: browsers do not send that part to servers, so it is in no proxy's log. It
 * is removed from the address bar, and so from the history, as soon as it is read.
 */

/** The secret in an address. Links made by earlier versions have it in the path or in the query. */
export function secretIn(path: string, search: string, hash: string): string | undefined {
  const [, page = '', inPath] = /^\/(invite|approve|sign-in)(?:\/([^/]+))?$/.exec(path) ?? [];
  const behind = hash.replace(/^#/, '');
  const secret =
    page === 'sign-in'
      ? (new URLSearchParams(behind).get('link') ?? new URLSearchParams(search).get('link'))
      : behind || inPath;
  return page === '' || !secret ? undefined : secret;
}

/** Reads the secret in the page's address, and removes it there. */
export function takeSecret(): string | undefined {
  const secret = secretIn(location.pathname, location.search, location.hash);
  if (secret !== undefined) history.replaceState(null, '', `/${location.pathname.split('/')[1] ?? ''}`);
  return secret;
}

/** Another link was opened in the same page, which the browser does not reload for that. */
export function onAnotherLink(take: (secret: string) => void): () => void {
  const look = () => {
    const secret = takeSecret();
    if (secret !== undefined) take(secret);
  };
  addEventListener('hashchange', look);
  return () => removeEventListener('hashchange', look);
}
