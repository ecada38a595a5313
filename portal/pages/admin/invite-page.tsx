import { useId, useState } from 'preact/hooks';
import { ApiError, call, messageOf } from '../api.ts';
import { CopyButton } from '../components/copy-button.tsx';
import { Check } from '../components/field.tsx';
import { Message } from '../components/message.tsx';
import { type Confirmation, useConfirmation } from '../confirmation.tsx';
import { timeText } from '../labels.ts';
import { usePlace } from '../router.ts';
import { useWork } from '../use-task.ts';

type Invited =
  | { readonly account: string; readonly address: string; readonly expires: number }
  | { readonly account: string; readonly problem: string };

export function InvitePage() {
  const { query } = usePlace();
  const [names, setNames] = useState(query.get('user') ?? '');
  const [withoutPassword, setWithoutPassword] = useState(false);
  const [invited, setInvited] = useState<readonly Invited[]>([]);
  const work = useWork();
  const accounts = [...new Set(names.split(/[\s,;]+/).filter((name) => name !== ''))];

  const submit = () =>
    work.run(async () => {
      // Rejected names stay in the field, to be corrected and sent again.
      const left: string[] = [];
      for (const [index, account] of accounts.entries()) {
        const result = await invite(account, withoutPassword, confirmation);
        if (result === 'confirm') {
          left.push(...accounts.slice(index));
          break;
        }
        if ('problem' in result) left.push(account);
        setInvited((before) => [...before.filter((one) => one.account !== account), result]);
      }
      setNames(left.join('\n'));
    });
  const confirmation = useConfirmation({ onVerified: submit });
  const ready = accounts.length > 0 && confirmation.filled && !work.busy;

  return (
    <>
      <h1>Invite</h1>
      <p>
        An invite is a link with which a user without a second factor adds one. It is valid once, within 24
        hours. Send it so that only its recipient can read it.
      </p>
      <form
        novalidate
        class="narrow"
        onSubmit={(event) => {
          event.preventDefault();
          if (ready) void submit();
        }}
      >
        <NamesField value={names} onValue={setNames} />
        <WithoutPassword checked={withoutPassword} onChecked={setWithoutPassword} />
        {confirmation.fields}
        {work.problem !== undefined && <Message kind="error">{work.problem.text}</Message>}
        <div class="button-row">
          <button type="submit" class="button button-main" disabled={!ready}>
            {accounts.length > 1 ? `Invite ${accounts.length} accounts` : 'Invite'}
          </button>
        </div>
      </form>
      {invited.length > 0 && <InvitedList invited={invited} />}
    </>
  );
}

/** @returns confirm: the change needs a confirmation, and the fields ask for it now */
async function invite(
  account: string,
  withoutPassword: boolean,
  confirmation: Confirmation,
): Promise<Invited | 'confirm'> {
  try {
    const link = await confirmation.run(() =>
      call('POST /api/users/:user/invite', { path: { user: account }, body: { withoutPassword } }),
    );
    if (link === undefined) return 'confirm';
    return { account, address: `${location.origin}/invite#${link.link}`, expires: link.expires };
  } catch (error) {
    if (error instanceof ApiError && ['signed-out', 'unreachable'].includes(error.code)) throw error;
    return { account, problem: messageOf(error) };
  }
}

interface NamesFieldProps {
  readonly value: string;
  readonly onValue: (value: string) => void;
}

function NamesField({ value, onValue }: NamesFieldProps) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>Account names</label>
      <textarea
        id={id}
        rows={4}
        value={value}
        onInput={(event) => onValue(event.currentTarget.value)}
        autocapitalize="off"
        spellcheck={false}
        aria-describedby={`${id}-hint`}
      />
      <p class="hint" id={`${id}-hint`}>
        One or more names, one per line.
      </p>
    </div>
  );
}

interface WithoutPasswordProps {
  readonly checked: boolean;
  readonly onChecked: (checked: boolean) => void;
}

function WithoutPassword({ checked, onChecked }: WithoutPasswordProps) {
  return (
    <>
      <Check
        label="Without a password: anyone with the link can enrol"
        checked={checked}
        onChecked={onChecked}
      />
      {checked && (
        <Message kind="warning">
          Such a link is enough to enrol. Hand it over in person, or use it only for accounts that have no
          password.
        </Message>
      )}
    </>
  );
}

function InvitedList({ invited }: { readonly invited: readonly Invited[] }) {
  return (
    <section aria-label="Links">
      <h2>Links</h2>
      <Message kind="warning">Shown only once. Copy them before you leave this page.</Message>
      <ul class="links">
        {invited.map((one) => (
          <li key={one.account}>
            <b>{one.account}</b>
            {'problem' in one ? (
              <p class="field-error">{one.problem}</p>
            ) : (
              <>
                <code>{one.address}</code>
                <span class="hint">until {timeText(one.expires)}</span>
                <CopyButton text={one.address} of={`the link of ${one.account}`} />
              </>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}
