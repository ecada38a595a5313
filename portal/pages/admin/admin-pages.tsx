import { follow, type Place } from '../router.ts';
import { AccountPage } from './account-page.tsx';
import { AccountsPage } from './accounts-page.tsx';
import { AuditPage } from './audit-page.tsx';
import { InvitePage } from './invite-page.tsx';

export function AdminPages({ place }: { readonly place: Place }) {
  const { path } = place;
  // In the query, because a path that ends like a file name is not served as a page.
  const account = path === '/admin/account' ? (place.query.get('user') ?? '') : undefined;
  const link = (address: string, text: string) => (
    <a href={address} onClick={follow} aria-current={path === address ? 'page' : undefined}>
      {text}
    </a>
  );
  return (
    <>
      <nav class="tabs" aria-label="Administration">
        {link('/admin', 'Accounts')}
        {link('/admin/invite', 'Invite')}
        {link('/admin/audit', 'Audit trail')}
      </nav>
      {path === '/admin' && <AccountsPage />}
      {path === '/admin/invite' && <InvitePage />}
      {path === '/admin/audit' && <AuditPage user={place.query.get('user') ?? ''} />}
      {account !== undefined && <AccountPage key={account} account={account} />}
    </>
  );
}
