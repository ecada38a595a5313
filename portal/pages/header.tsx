import { call, messageOf } from './api.ts';
import { Menu } from './components/menu.tsx';
import { follow, go, usePlace } from './router.ts';
import { rememberSignInMethod, usePortal } from './session.ts';

/** The account name in the top right corner opens the account's menu. */
export function Header() {
  const { session, update, say } = usePortal();
  const { path } = usePlace();
  const { person, site } = session;

  const signOut = async () => {
    try {
      await call('POST /api/sign-out', {});
    } catch (error) {
      say({ kind: 'error', text: messageOf(error) });
      return;
    }
    rememberSignInMethod('password');
    update({ person: null, site });
    go('/sign-in');
  };
  const link = (address: string, text: string) => (
    <a href={address} onClick={follow} aria-current={isAt(path, address) ? 'page' : undefined}>
      {text}
    </a>
  );

  return (
    <header class="header">
      <a class="brand" href="/" onClick={follow}>
        {site.name}
      </a>
      {person !== null && (
        <>
          <nav aria-label="Pages">
            {link('/', 'My second factors')}
            {person.admin && link('/admin', 'Administration')}
          </nav>
          <Menu
            label={person.account}
            button="button button-quiet"
            items={[
              { label: 'TFA', note: 'My second factors', onChoose: () => go('/') },
              { label: 'Sign out', onChoose: () => void signOut() },
            ]}
          />
        </>
      )}
    </header>
  );
}

function isAt(path: string, address: string): boolean {
  return address === '/' ? path === '/' : path === address || path.startsWith(`${address}/`);
}
