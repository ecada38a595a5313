import type { FactorSummary, UserView } from '../../../daemon/api/views.ts';
import { Menu } from '../components/menu.tsx';
import { timeText } from '../labels.ts';
import type { ChangeKind } from './change-dialog.tsx';
import { kindName, kinds } from './kinds.ts';
import { stateOf } from './requirements.ts';

export interface FactorListProps {
  readonly user: UserView;
  readonly now: number;
  readonly mine: boolean;
  readonly onChange: (factor: FactorSummary, kind: ChangeKind) => void;
  readonly onSwitch: (factor: FactorSummary) => void;
}

/** A table of factors; on a phone each row is a card. */
export function FactorList(props: FactorListProps) {
  const { user, mine } = props;
  if (user.factors.length === 0)
    return (
      <p class="empty">
        {mine ? 'You have' : `${user.account} has`} no second factor yet. Choose <b>Add</b>.
      </p>
    );
  return (
    <table class="list">
      <thead>
        <tr>
          <th scope="col">Name</th>
          <th scope="col">Kind</th>
          <th scope="col">Created</th>
          <th scope="col">Last used</th>
          <th scope="col">State</th>
          <th scope="col">
            <span class="only-read">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {user.factors.map((factor) => (
          <FactorRow key={factor.id} {...props} factor={factor} />
        ))}
      </tbody>
    </table>
  );
}

type RowProps = FactorListProps & { readonly factor: FactorSummary };

function FactorRow(props: RowProps) {
  const { factor, user, now } = props;
  const state = stateOf(factor, user, now);
  return (
    <tr>
      <th scope="row" data-label="Name">
        <span class="factor-name">{factor.name}</span>
        <FactorNotes {...props} />
      </th>
      <td data-label="Kind">{kindName(factor.kind)}</td>
      <td data-label="Created">{factor.created === 0 ? 'not known' : timeText(factor.created)}</td>
      <td data-label="Last used">{factor.lastUsed === undefined ? 'never' : timeText(factor.lastUsed)}</td>
      <td data-label="State">
        <span class={`state state-${state}`}>{state}</span>
      </td>
      <td class="list-actions">
        <ChangeMenu {...props} />
      </td>
    </tr>
  );
}

/** Its details, and what its user should do about it. */
function FactorNotes({ factor, mine, onSwitch }: RowProps) {
  const { legacy } = kinds[factor.kind];
  return (
    <>
      {legacy === undefined || !mine ? (
        <small>{factor.detail}</small>
      ) : (
        <small class="advice">
          {legacy.advice}{' '}
          <button type="button" class="link" onClick={() => onSwitch(factor)}>
            {legacy.action}
          </button>
        </small>
      )}
      {factor.left !== undefined && factor.left < 4 && (
        <small class="advice">
          {factor.left === 0 ? 'All are used. Create a new set.' : 'Fewer than 4 left. Create a new set.'}
        </small>
      )}
    </>
  );
}

function ChangeMenu({ factor, onChange }: RowProps) {
  return (
    <Menu
      label="Change"
      button="button button-small"
      of={factor.name}
      items={[
        { label: 'Rename', onChoose: () => onChange(factor, 'rename') },
        factor.enabled
          ? { label: 'Disable', onChoose: () => onChange(factor, 'disable') }
          : { label: 'Enable', onChoose: () => onChange(factor, 'enable') },
        { label: 'Remove', onChoose: () => onChange(factor, 'remove') },
      ]}
    />
  );
}
