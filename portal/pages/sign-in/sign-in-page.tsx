import { useLayoutEffect, useState } from 'preact/hooks';
import { go, usePlace } from '../router.ts';
import { usePortal } from '../session.ts';
import { SignInForm } from './sign-in-form.tsx';

/** For /sign-in, /sign-in?link=… and /invite/…; a link leaves the address bar and the history at once. */
export function SignInPage() {
  const place = usePlace();
  const { session, update, say } = usePortal();
  const [link] = useState(() => linkIn(place.path, place.query));
  const [next] = useState(() => safeNext(place.query.get('next')));
  const [user] = useState(() => place.query.get('user') ?? '');
  const [invited] = useState(() => place.path.startsWith('/invite/'));
  useLayoutEffect(() => {
    if (link !== undefined) history.replaceState(null, '', invited ? '/invite' : '/sign-in');
  }, [link, invited]);

  return (
    <div class="sign-in">
      <h1>{invited ? 'Welcome' : 'Sign in'}</h1>
      <p class="site">{session.site.host}</p>
      {invited && (
        <p>You were invited to add your second factor here. The link in your invitation is good once.</p>
      )}
      {link !== undefined && !invited && <p>The link stands in the place of your password, once.</p>}
      <SignInForm
        link={link}
        user={user}
        onDone={(begun, text) => {
          update(begun);
          say(text === undefined ? undefined : { kind: 'warning', text });
          go(next, 'replace');
        }}
      />
    </div>
  );
}

function linkIn(path: string, query: URLSearchParams): string | undefined {
  const invite = /^\/invite\/([^/]+)$/.exec(path)?.[1];
  if (invite !== undefined) return invite;
  return query.get('link') ?? undefined;
}

/** Only a path of this portal: an address in a query is anybody's to write. */
function safeNext(next: string | null): string {
  return next !== null && /^\/(?![/\\])[\w\-/?=&.%]*$/.test(next) ? next : '/';
}
