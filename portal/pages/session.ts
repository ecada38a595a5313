import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { SessionView } from '../contract.ts';

/** What every page knows, and may change. */
export interface Portal {
  readonly session: SessionView;
  readonly update: (session: SessionView) => void;
  /** Says something in the one place where pages say what happened. */
  readonly say: (notice: Notice | undefined) => void;
  /** Rises when a session ends: passwords that were typed are forgotten then. */
  readonly ended: number;
}

export interface Notice {
  readonly kind: 'done' | 'warning' | 'error';
  readonly text: string;
}

const missing: Portal = {
  session: { person: null, site: { name: 'Sallyport', host: '', rpId: '' } },
  update: () => {},
  say: () => {},
  ended: 0,
};

export const PortalContext = createContext(missing);

export function usePortal(): Portal {
  return useContext(PortalContext);
}

/**
 * That the session began with a link, for accounts without a password: nothing that is secret. The tab keeps it,
 * so that a page that is loaded anew still knows what can be asked for.
 */
const byLink = 'sallyport-by-link';

export function rememberSignInMethod(how: 'link' | 'password'): void {
  if (how === 'link') sessionStorage.setItem(byLink, 'yes');
  else sessionStorage.removeItem(byLink);
}

export function cameByLink(): boolean {
  return sessionStorage.getItem(byLink) !== null;
}

/** Changes need no new proof for so much longer, with a margin for the way to the server. */
export function isRecentlyConfirmed(session: SessionView, now: number): boolean {
  return (session.changesUntil ?? 0) - 5_000 > now;
}

/** Any request may be the one that hears of the end of the session; one place shows it. */
let listener: () => void = () => {};

export function onSessionEnded(heard: () => void): () => void {
  listener = heard;
  return () => {
    listener = () => {};
  };
}

export function sessionEnded(): void {
  listener();
}
