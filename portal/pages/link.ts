/**
 * Secrets of links stand behind "#" in the address: browsers send that part to no server, so that it is in no log of
 * a proxy. It leaves the address bar, and with it the history, as soon as it is read.
 */

/** What an address holds. Links made by earlier versions have it in the path or in the query. */
export function secretIn(path: string, search: string, hash: string): string | undefined {
  const [, page = '', inPath] = /^\/(invite|approve|sign-in)(?:\/([^/]+))?$/.exec(path) ?? [];
  const behind = hash.replace(/^#/, '');
  const secret =
    page === 'sign-in'
      ? (new URLSearchParams(behind).get('link') ?? new URLSearchParams(search).get('link'))
      : behind || inPath;
  return page === '' || !secret ? undefined : secret;
}

/** Reads the secret of the page's address, and takes it away from there. */
export function takeSecret(): string | undefined {
  const secret = secretIn(location.pathname, location.search, location.hash);
  if (secret !== undefined) history.replaceState(null, '', `/${location.pathname.split('/')[1] ?? ''}`);
  return secret;
}

/** Another link was opened in the same page: the browser does not load it again for that. */
export function onAnotherLink(take: (secret: string) => void): () => void {
  const look = () => {
    const secret = takeSecret();
    if (secret !== undefined) take(secret);
  };
  addEventListener('hashchange', look);
  return () => removeEventListener('hashchange', look);
}
