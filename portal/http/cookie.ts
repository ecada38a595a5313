/**
 * The cookie of a session.
 *
 * Invariants: scripts cannot read it; browsers send it only to this host, never in the clear, and never with a request
 * that another site's page made. With the prefix __Host- browsers reject a cookie that another host or a page without
 * TLS has set; on http://localhost, where nothing is Secure, the prefix is not available.
 */
export function cookieName(secure: boolean): string {
  return secure ? '__Host-sallyport' : 'sallyport';
}

export function setCookie(secure: boolean, value: string): string {
  return `${cookieName(secure)}=${value}; Path=/; HttpOnly; SameSite=Strict${secure ? '; Secure' : ''}`;
}

export function clearCookie(secure: boolean): string {
  return `${setCookie(secure, '')}; Max-Age=0`;
}

/** @returns undefined without the cookie, and with two of them: an attacker may have set one */
export function readCookie(header: string | undefined, secure: boolean): string | undefined {
  const name = cookieName(secure);
  const values = (header ?? '').split(';').flatMap((pair) => {
    const mark = pair.indexOf('=');
    return mark > 0 && pair.slice(0, mark).trim() === name ? [pair.slice(mark + 1).trim()] : [];
  });
  return values.length === 1 ? values[0] : undefined;
}
