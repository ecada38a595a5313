import { useState } from 'preact/hooks';

export function CopyButton({ text, of }: { readonly text: string; readonly of: string }) {
  const [said, setSaid] = useState('');
  return (
    <>
      <button
        type="button"
        class="button button-small"
        aria-label={`Copy ${of}`}
        onClick={() =>
          void copyText(text).then((done) => setSaid(done ? 'Copied.' : 'Copying is not possible here.'))
        }
      >
        Copy
      </button>
      <span role="status" class="said">
        {said}
      </span>
    </>
  );
}

/** @returns whether the text could be copied */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
