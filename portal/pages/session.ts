import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { SessionView } from '../contract.ts';

/** State that every page can read and change. */
export interface Portal {
  readonly session: SessionView;
  readonly update: (session: SessionView) => void;
  /** Shows a notice in the one place for notices. */
  readonly say: (notice: Notice | undefined) => void;
  /** Rises when a session ends: typed passwords are then cleared. */
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
 * That the session began with a link, for accounts without a password; it is not secret. The tab keeps it, so that a
 * reloaded page still knows what to ask for.
 */
const byLink = 'sallyport-by-link';

export function rememberSignInMethod(how: 'link' | 'password'): void {
  if (how === 'link') sessionStorage.setItem(byLink, 'yes');
  else sessionStorage.removeItem(byLink);
}

export function cameByLink(): boolean {
  return sessionStorage.getItem(byLink) !== null;
}

/** Whether changes need no confirmation for now, with a margin for the network. */
export function isRecentlyConfirmed(session: SessionView, now: number): boolean {
  return (session.changesUntil ?? 0) - 5_000 > now;
}

/** Any request may be the one that learns that the session has ended; one component shows it. */
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
