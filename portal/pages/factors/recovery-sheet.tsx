import { useState } from 'preact/hooks';
import { copyText } from '../components/copy-button.tsx';
import { Dialog } from '../components/dialog.tsx';
import { Check } from '../components/field.tsx';
import { Message } from '../components/message.tsx';
import { timeText } from '../labels.ts';
import { usePortal } from '../session.ts';

export interface RecoverySheetProps {
  readonly account: string;
  readonly keys: readonly string[];
  readonly onClose: () => void;
}

/** What Print prints and Download saves. It is shown only once, so Escape does not close it by accident. */
export function RecoverySheet({ account, keys, onClose }: RecoverySheetProps) {
  const { session } = usePortal();
  const [stored, setStored] = useState(false);
  const [made] = useState(() => timeText(Date.now()));
  const heading = `Recovery keys of ${account} on ${session.site.host}`;
  const text = `${heading}, created ${made}\nEach key is valid for one login.\n\n${keys.join('\n')}\n`;

  return (
    <Dialog
      title="Your recovery keys"
      leavable={stored}
      onClose={onClose}
      onSubmit={() => (stored ? onClose() : undefined)}
      actions={
        <button type="submit" class="button button-main" disabled={!stored}>
          Close
        </button>
      }
    >
      <Message kind="warning">Shown only once. Save them now.</Message>
      <div class="sheet">
        <p class="sheet-heading">{heading}</p>
        <p class="sheet-heading sheet-made">created {made}</p>
        <ol class="recovery-keys">
          {keys.map((key) => (
            <li key={key}>
              <code>{key}</code>
            </li>
          ))}
        </ol>
        <p class="sheet-heading">Each key is valid for one login.</p>
      </div>
      <SaveButtons text={text} file={`sallyport-recovery-keys-${account}.txt`} />
      <Check label="I have saved them" checked={stored} onChecked={setStored} />
    </Dialog>
  );
}

function SaveButtons({ text, file }: { readonly text: string; readonly file: string }) {
  const [said, setSaid] = useState('');
  const copy = async () => {
    setSaid((await copyText(text)) ? 'Copied.' : 'This browser does not allow copying.');
  };
  return (
    <div class="button-row">
      <button type="button" class="button" data-first onClick={() => void copy()}>
        Copy
      </button>
      <button type="button" class="button" onClick={() => print()}>
        Print
      </button>
      <button
        type="button"
        class="button"
        onClick={() => {
          download(file, text);
          setSaid('Downloaded.');
        }}
      >
        Download
      </button>
      <span role="status" class="said">
        {said}
      </span>
    </div>
  );
}

function download(name: string, text: string): void {
  const address = URL.createObjectURL(new Blob([text], { type: 'text/plain' }));
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  // The browser reads it after the click was handled.
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
