import type { ComponentChildren } from 'preact';
import type { EnrolView, UserView } from '../../../daemon/api/views.ts';
import { Dialog } from '../components/dialog.tsx';
import { Field } from '../components/field.tsx';
import { Message } from '../components/message.tsx';
import { problemAt, problemElsewhere, type Work } from '../use-task.ts';

/** Properties of each dialog that adds a factor. */
export interface AddDialogProps {
  readonly user: UserView;
  /** It is offered after another change, and may be postponed. */
  readonly offered: boolean;
  readonly onClose: () => void;
  /** It is added, and the dialog is done. */
  readonly onAdded: (added: EnrolView) => void;
  /** It is added, and the dialog still shows something. */
  readonly onReload: () => void;
}

export interface FactorDialogProps {
  readonly title: string;
  readonly wide?: boolean;
  /** The label of the button that does it. */
  readonly action: string;
  readonly isDangerous?: boolean;
  /** The label of the button that cancels. */
  readonly leave?: string;
  /** The button that has the focus first, if no field has it. */
  readonly first?: 'action' | 'leave' | undefined;
  readonly filled: boolean;
  readonly work: Work;
  /** Codes of problems that a field shows. */
  readonly codesOfFields: readonly string[];
  readonly onSubmit: () => Promise<void>;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}

/** A change of factors: it can be sent once all is filled in, and shows problems that belong to no field. */
export function FactorDialog(props: FactorDialogProps) {
  const { first, filled, work } = props;
  const elsewhere = problemElsewhere(work.problem, props.codesOfFields);
  return (
    <Dialog
      wide={props.wide === true}
      title={props.title}
      onClose={props.onClose}
      onSubmit={() => (filled ? props.onSubmit() : undefined)}
      actions={
        <>
          <button
            type="submit"
            class={props.isDangerous === true ? 'button button-danger' : 'button button-main'}
            disabled={!filled || work.busy}
            data-first={first === 'action' ? true : undefined}
          >
            {props.action}
          </button>
          <button
            type="button"
            class="button"
            data-first={first === 'leave' ? true : undefined}
            onClick={props.onClose}
          >
            {props.leave ?? 'Cancel'}
          </button>
        </>
      }
    >
      {props.children}
      {elsewhere !== undefined && <Message kind="error">{elsewhere}</Message>}
    </Dialog>
  );
}

/** Problems that are about the name of a factor. */
export const nameCodes = ['bad-name', 'name-taken'];

export interface NameFieldProps {
  readonly name: string;
  readonly onName: (name: string) => void;
  readonly work: Work;
  readonly hint?: string;
}

export function NameField({ name, onName, work, hint }: NameFieldProps) {
  return (
    <Field
      label="Name"
      value={name}
      onValue={(value) => {
        onName(value);
        work.clear();
      }}
      error={problemAt(work.problem, nameCodes)}
      {...(hint === undefined ? {} : { hint })}
      input={{ autocomplete: 'off', required: true, maxLength: 200 }}
    />
  );
}
