import { useEffect, useRef, useState } from 'preact/hooks';
import type { UserLine, UserPage } from '../../../daemon/api/views.ts';
import { call, messageOf } from '../api.ts';
import { Field } from '../components/field.tsx';
import { Message } from '../components/message.tsx';
import { kindName } from '../factors/kinds.ts';
import { hasFactor, isSubstitute } from '../factors/requirements.ts';
import { lockText, timeText } from '../labels.ts';
import { follow } from '../router.ts';
import { usePortal } from '../session.ts';

const pageSize = '50';

export function AccountsPage() {
  const [search, setSearch] = useState('');
  /** The cursors of the previous pages and, last, of this page. */
  const [starts, setStarts] = useState<readonly (string | undefined)[]>([undefined]);
  const { page, problem } = useAccounts(search, starts.at(-1));

  return (
    <>
      <h1>Accounts</h1>
      <div class="toolbar">
        <Field
          label="Search"
          type="search"
          value={search}
          onValue={(value) => {
            setSearch(value);
            setStarts([undefined]);
          }}
          hint="The first letters of a name."
          input={{ autocomplete: 'off', autocapitalize: 'off', spellcheck: false }}
        />
      </div>
      {problem !== undefined && <Message kind="error">{problem}</Message>}
      {page !== undefined && <AccountTable users={page.users} />}
      <nav class="pager" aria-label="Pages of the list">
        <button
          type="button"
          class="button"
          disabled={starts.length === 1}
          onClick={() => setStarts(starts.slice(0, -1))}
        >
          Previous
        </button>
        <span>Page {starts.length}</span>
        <button
          type="button"
          class="button"
          disabled={page?.next === undefined}
          onClick={() => setStarts([...starts, page?.next])}
        >
          Next
        </button>
      </nav>
    </>
  );
}

/** One page of the accounts that the search matches, a moment after the last key. */
function useAccounts(search: string, after: string | undefined) {
  const { session } = usePortal();
  const [page, setPage] = useState<UserPage>();
  const [problem, setProblem] = useState<string>();
  const newest = useRef(0);
  const signedIn = session.person?.account;

  useEffect(() => {
    newest.current += 1;
    const asked = newest.current;
    const ask = async () => {
      try {
        const query = {
          limit: pageSize,
          ...(search.trim() === '' ? {} : { search: search.trim() }),
          ...(after === undefined ? {} : { after }),
        };
        const found = await call('GET /api/users', { query });
        // The result of an earlier search must not appear below the current one.
        if (asked === newest.current) {
          setPage(found);
          setProblem(undefined);
        }
      } catch (error) {
        if (asked === newest.current) setProblem(messageOf(error));
      }
    };
    const timer = setTimeout(() => void ask(), search === '' ? 0 : 150);
    return () => clearTimeout(timer);
  }, [search, after, signedIn]);
  return { page, problem };
}

function AccountTable({ users }: { readonly users: readonly UserLine[] }) {
  if (users.length === 0) return <p class="empty">No account with a record has such a name.</p>;
  return (
    <table class="list">
      <thead>
        <tr>
          <th scope="col">Account</th>
          <th scope="col">Second factors</th>
          <th scope="col">Last login</th>
          <th scope="col">State</th>
        </tr>
      </thead>
      <tbody>
        {users.map((user) => (
          <tr key={user.account}>
            <th scope="row" data-label="Account">
              <a href={`/admin/account?user=${encodeURIComponent(user.account)}`} onClick={follow}>
                {user.account}
              </a>
            </th>
            <td data-label="Second factors">{factorsText(user)}</td>
            <td data-label="Last login">
              {user.lastLogin === undefined ? (
                'never'
              ) : (
                <span>
                  <span class="nowrap">{timeText(user.lastLogin.at)},</span> {user.lastLogin.service}
                </span>
              )}
            </td>
            <td data-label="State">
              <LineState user={user} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function LineState({ user }: { readonly user: UserLine }) {
  if (user.damaged !== undefined) return <span class="state state-locked">damaged: {user.damaged}</span>;
  if (lockText(user, Date.now()) !== undefined) return <span class="state state-locked">locked</span>;
  if (user.presence === 'another') return <span class="state state-locked">uid changed: refused</span>;
  if (user.presence === 'gone') return <span class="state state-locked">account deleted</span>;
  // The account's page shows what the realm requires.
  if (!hasFactor(user)) return <span class="state state-disabled">no second factor</span>;
  const enabled = user.factors.filter((factor) => factor.enabled);
  if (enabled.every(isSubstitute)) return <span class="state state-disabled">recovery keys only</span>;
  return <span class="state state-enabled">OK</span>;
}

/** "TOTP ×2, Recovery keys, Security key (disabled)" */
function factorsText(user: UserLine): string {
  const counts = new Map<string, number>();
  for (const { kind, enabled } of user.factors) {
    const text = `${kindName(kind)}${enabled ? '' : ' (disabled)'}`;
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  if (counts.size === 0) return 'none';
  return [...counts].map(([text, count]) => (count === 1 ? text : `${text} ×${count}`)).join(', ');
}
