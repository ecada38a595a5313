/**
 * The cookie of a session.
 *
 * What MUST hold: no script reads it, it goes nowhere but here, never in the clear, and with no request that
 * another site's page made. The prefix __Host- lets browsers refuse one that another host or a page without
 * TLS has set; on http://localhost, where nothing is Secure, it cannot be had.
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

/** @returns undefined where there is none, and where there are two: somebody else has set one of them */
export function readCookie(header: string | undefined, secure: boolean): string | undefined {
  const name = cookieName(secure);
  const values = (header ?? '').split(';').flatMap((pair) => {
    const mark = pair.indexOf('=');
    return mark > 0 && pair.slice(0, mark).trim() === name ? [pair.slice(mark + 1).trim()] : [];
  });
  return values.length === 1 ? values[0] : undefined;
}
