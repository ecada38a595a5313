import { Fragment } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { StoredAuditEvent } from '../../../daemon/api/views.ts';
import { offsetText } from '../../../daemon/lib/units.ts';
import { call, messageOf } from '../api.ts';
import { Check, Field } from '../components/field.tsx';
import { Message } from '../components/message.tsx';
import { kindName } from '../factors/kinds.ts';
import { timeWithSeconds } from '../labels.ts';
import { followAudit } from '../live.ts';
import { go } from '../router.ts';
import { usePortal } from '../session.ts';

const pageSize = 50;
/** As many as a page can show without slowing down. */
const mostShown = 1_000;

export function AuditPage({ user }: { readonly user: string }) {
  const [filter, setFilter] = useState(user);
  const [following, setFollowing] = useState(true);
  const { events, next, problem, load } = useAuditTrail(user, following);

  return (
    <>
      <h1>Audit trail</h1>
      <form
        class="toolbar"
        onSubmit={(event) => {
          event.preventDefault();
          const name = filter.trim();
          go(name === '' ? '/admin/audit' : `/admin/audit?user=${encodeURIComponent(name)}`);
        }}
      >
        <Field
          label="Account"
          type="search"
          value={filter}
          onValue={setFilter}
          input={{ autocomplete: 'off', autocapitalize: 'off', spellcheck: false }}
          beside={
            <button type="submit" class="button">
              Show
            </button>
          }
        />
        <Check label="Follow live" checked={following} onChecked={setFollowing} />
      </form>
      {problem !== undefined && <Message kind="error">{problem}</Message>}
      {events.length === 0 && problem === undefined && (
        <p class="empty">{next === undefined ? 'No events.' : 'No matching events among the newest.'}</p>
      )}
      {events.length > 0 && <AuditTable events={events} />}
      <div class="pager">
        <button type="button" class="button" disabled={next === undefined} onClick={() => void load(next)}>
          Older
        </button>
      </div>
    </>
  );
}

/** @param user only events of this account; empty: of all */
function useAuditTrail(user: string, following: boolean) {
  const { session } = usePortal();
  const [events, setEvents] = useState<readonly StoredAuditEvent[]>([]);
  /** The cursor of older events; one request reads a bounded number, however many match. */
  const [next, setNext] = useState<number>();
  const [problem, setProblem] = useState<string>();
  const signedIn = session.person?.account;

  const load = async (from: number | undefined) => {
    try {
      const query = {
        limit: String(pageSize),
        ...(user === '' ? {} : { user }),
        ...(from === undefined ? {} : { from: String(from) }),
      };
      const page = await call('GET /api/audit', { query });
      setEvents((held) => merged(from === undefined ? [] : held, page.events));
      setNext(page.next);
      setProblem(undefined);
    } catch (error) {
      setProblem(messageOf(error));
    }
  };
  useEffect(() => {
    void load(undefined);
  }, [user, signedIn]);
  useEffect(() => {
    if (!following) return;
    return followAudit((event) => {
      if (user === '' || event.account === user)
        setEvents((held) => {
          const all = merged(held, [event]);
          const oldest = all[mostShown - 1]?.seq;
          if (all.length > mostShown && oldest !== undefined) setNext(oldest - 1);
          return all.slice(0, mostShown);
        });
    });
  }, [following, user]);
  return { events, next, problem, load };
}

function AuditTable({ events }: { readonly events: readonly StoredAuditEvent[] }) {
  return (
    <table class="list list-audit">
      <thead>
        <tr>
          <th scope="col">Time</th>
          <th scope="col">Account</th>
          <th scope="col">Kind</th>
          <th scope="col">Outcome</th>
          <th scope="col">Service</th>
          <th scope="col">From</th>
          <th scope="col">Factor</th>
        </tr>
      </thead>
      <tbody>
        {events.map((event) => (
          <tr key={event.seq}>
            <td data-label="Time" class="nowrap">
              {timeWithSeconds(event.at)}
            </td>
            <td data-label="Account">{event.account}</td>
            <td data-label="Kind">{event.kind}</td>
            <td data-label="Outcome">
              <span class={`state state-${stateOf(event.outcome)}`}>{event.outcome}</span>
              {notesOf(event) !== '' && <small>{notesOf(event)}</small>}
            </td>
            <td data-label="Service">{event.service ?? ''}</td>
            <td data-label="From">
              <Source text={event.source ?? event.actor ?? ''} />
            </td>
            <td data-label="Factor">
              {event.factor === undefined ? '' : `${event.factor.name} (${kindName(event.factor.kind)})`}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** The reason; whether the code fits a wrong clock; how many events this one represents. */
function notesOf({ reason, offset, count }: StoredAuditEvent): string {
  const notes = [
    ...(reason === '' ? [] : [reason]),
    ...(offset === undefined ? [] : [offsetText(offset)]),
    ...(count === undefined ? [] : [`${count} times`]),
  ];
  return notes.join(', ');
}

/** Breaks an IPv6 address only after colons. */
function Source({ text }: { readonly text: string }) {
  const parts = text.split(/(?<=:)/);
  if (parts.length < 3) return <>{text}</>;
  return (
    <span>
      {parts.map((part, index) => (
        <Fragment key={index}>
          {part}
          <wbr />
        </Fragment>
      ))}
    </span>
  );
}

function stateOf(outcome: StoredAuditEvent['outcome']): string {
  if (outcome === 'refused' || outcome === 'error') return 'locked';
  return outcome === 'abandoned' ? 'disabled' : 'enabled';
}

/** Newest first, without duplicates: a live event may come again with a page. */
function merged(
  held: readonly StoredAuditEvent[],
  more: readonly StoredAuditEvent[],
): readonly StoredAuditEvent[] {
  const bySeq = new Map([...held, ...more].map((event) => [event.seq, event]));
  return [...bySeq.values()].sort((a, b) => b.seq - a.seq);
}
