import { useEffect, useLayoutEffect, useState } from 'preact/hooks';
import { onAnotherLink, takeSecret } from '../link.ts';
import { go, usePlace } from '../router.ts';
import { usePortal } from '../session.ts';
import { SignInForm } from './sign-in-form.tsx';

/** For /sign-in, with or without a sign-in link, and for /invite with its link. */
export function SignInPage() {
  const place = usePlace();
  const { session, update, say } = usePortal();
  const [next] = useState(() => safeNext(place.query.get('next')));
  const [user] = useState(() => place.query.get('user') ?? '');
  const [invited] = useState(() => place.path === '/invite' || place.path.startsWith('/invite/'));
  const [link, setLink] = useState<string>();
  /** The link was rejected: no welcome is shown then. */
  const [refused, setRefused] = useState(false);
  const welcome = invited && !refused;
  useLayoutEffect(() => setLink(takeSecret()), []);
  useEffect(
    () =>
      onAnotherLink((another) => {
        setLink(another);
        setRefused(false);
      }),
    [],
  );

  return (
    <div class="sign-in">
      <h1>{welcome ? 'Welcome' : 'Sign in'}</h1>
      <p class="site">{session.site.host}</p>
      {welcome && link !== undefined && (
        <p>You were invited to add your second factor here. The link in your invitation is valid once.</p>
      )}
      {welcome && link === undefined && (
        <p>
          Open the link in your invitation again, which is needed each time, or sign in with your password.
        </p>
      )}
      {link !== undefined && !invited && !refused && <p>The link replaces your password, once.</p>}
      <SignInForm
        key={link}
        link={link}
        user={user}
        onLinkRefused={() => setRefused(true)}
        onDone={(begun, text) => {
          update(begun);
          say(text === undefined ? undefined : { kind: 'warning', text });
          go(next, 'replace');
        }}
      />
    </div>
  );
}

/** Only a path of this portal: an attacker may have written the address in the query. */
function safeNext(next: string | null): string {
  return next !== null && /^\/(?![/\\])[\w\-/?=&.%]*$/.test(next) ? next : '/';
}
