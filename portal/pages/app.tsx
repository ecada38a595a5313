import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { SessionView } from '../contract.ts';
import { AdminPages } from './admin/admin-pages.tsx';
import { call, messageOf } from './api.ts';
import { ApprovalBanner } from './approve/approval-banner.tsx';
import { ApprovePage } from './approve/approve-page.tsx';
import { Message } from './components/message.tsx';
import { MyFactorsPage } from './factors/factors.tsx';
import { Header } from './header.tsx';
import { useLive } from './live.ts';
import { follow, go, type Place, usePlace } from './router.ts';
import { type Notice, onSessionEnded, type Portal, PortalContext } from './session.ts';
import { SessionOver } from './sign-in/session-expired.tsx';
import { SignInPage } from './sign-in/sign-in-page.tsx';

/** The longest delay of a browser's timer. */
const longestTimer = 2_147_483_647;

export function App() {
  const place = usePlace();
  const { session, problem, over, ended, update, signOut } = useSession();
  const [notice, setNotice] = useState<Notice>();
  const main = useRef<HTMLElement>(null);
  const person = session?.person ?? undefined;

  // A screen reader reads the new page's heading, and continues from there.
  useChange(place.path, () => {
    setNotice(undefined);
    main.current?.focus();
  });

  const live = useLive(over ? undefined : person?.account);
  const portal = useMemo<Portal | undefined>(
    () => (session === undefined ? undefined : { session, update, say: setNotice, ended }),
    [session, update, ended],
  );

  if (portal === undefined || session === undefined)
    return (
      <main class="page">
        {problem === undefined ? <p class="empty">Loading …</p> : <Message kind="error">{problem}</Message>}
      </main>
    );
  return (
    <PortalContext.Provider value={portal}>
      <Header />
      {person !== undefined && !isApprovePage(place.path) && <ApprovalBanner live={live} />}
      <main class="page" ref={main} tabIndex={-1}>
        <div class="notice" role="status" aria-live="polite">
          {notice !== undefined && <Message kind={notice.kind}>{notice.text}</Message>}
        </div>
        <Page place={place} session={session} />
      </main>
      {over && person !== undefined && (
        <SessionOver
          account={person.account}
          onLeave={() => {
            signOut();
            go('/sign-in');
          }}
        />
      )}
    </PortalContext.Provider>
  );
}

interface BrowserSession {
  /** Undefined: it is not known yet. */
  readonly session: SessionView | undefined;
  /** Why it cannot be asked for. */
  readonly problem: string | undefined;
  /** It has ended on the server; the page still shows it. */
  readonly over: boolean;
  /** How many times it has ended. */
  readonly ended: number;
  readonly update: (found: SessionView) => void;
  readonly signOut: () => void;
}

function useSession(): BrowserSession {
  const [session, setSession] = useState<SessionView>();
  const [problem, setProblem] = useState<string>();
  const [over, setOver] = useState(false);
  const [ended, setEnded] = useState(0);

  const update = useCallback((found: SessionView) => {
    setSession(found);
    setOver(false);
  }, []);
  useEffect(() => {
    call('GET /api/session', {}).then(update, (error: unknown) => setProblem(messageOf(error)));
  }, [update]);

  const signedIn = session !== undefined && session.person !== null;
  const end = useCallback(() => {
    setOver(true);
    setEnded((times) => times + 1);
  }, []);
  useEffect(() => (signedIn ? onSessionEnded(end) : undefined), [signedIn, end]);

  // The server decides when a session ends. It is asked just after the announced end: use may have prolonged it.
  const until = session?.readsUntil;
  useEffect(() => {
    if (!signedIn || over || until === undefined) return;
    const look = () => {
      call('GET /api/session', {}).then(
        (found) => (found.person === null ? end() : setSession(found)),
        () => {},
      );
    };
    const timer = setTimeout(look, Math.min(longestTimer, Math.max(1_000, until - Date.now() + 1_000)));
    return () => clearTimeout(timer);
  }, [signedIn, over, until, end]);

  const signOut = () => {
    setOver(false);
    setSession((held) => held && { ...held, person: null });
  };
  return { session, problem, over, ended, update, signOut };
}

/** Runs `onChange` after each change of a value, and not for the first one. */
function useChange(value: string, onChange: () => void): void {
  const isFirst = useRef(true);
  useEffect(() => {
    if (isFirst.current) isFirst.current = false;
    else onChange();
  }, [value]);
}

/** This page shows the login itself. */
const isApprovePage = (path: string): boolean => path === '/approve' || path.startsWith('/approve/');

function Page({ place, session }: { readonly place: Place; readonly session: SessionView }) {
  const { path } = place;
  if (isApprovePage(path)) return <ApprovePage />;
  if (path === '/sign-in' || path === '/invite' || path.startsWith('/invite/')) return <SignInPage />;
  if (session.person === null) return <ToSignIn place={place} />;
  if (path === '/') return <MyFactorsPage account={session.person.account} />;
  if (path === '/admin' || path.startsWith('/admin/')) {
    if (session.person.admin) return <AdminPages place={place} />;
    return <Message kind="error">These pages are for administrators.</Message>;
  }
  return (
    <>
      <h1>Page not found</h1>
      <p>
        <a href="/" onClick={follow}>
          My second factors
        </a>
      </p>
    </>
  );
}

function ToSignIn({ place }: { readonly place: Place }) {
  useEffect(() => {
    const query = place.query.toString();
    const next = `${place.path}${query === '' ? '' : `?${query}`}`;
    go(next === '/' ? '/sign-in' : `/sign-in?next=${encodeURIComponent(next)}`, 'replace');
  }, [place]);
  return null;
}
