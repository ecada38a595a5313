import type { ComponentChildren } from 'preact';

export interface MessageProps {
  readonly kind: 'done' | 'warning' | 'error' | 'info' | 'alarm';
  readonly children: ComponentChildren;
}

const marks: Readonly<Record<MessageProps['kind'], string>> = {
  done: '✓',
  warning: '!',
  error: '✕',
  info: 'i',
  alarm: '!',
};

/** A message in words; the colour only repeats its kind. */
export function Message({ kind, children }: MessageProps) {
  const loud = kind === 'error' || kind === 'alarm';
  return (
    <div class={`message message-${kind}`} role={loud ? 'alert' : undefined}>
      <span class="message-mark" aria-hidden="true">
        {marks[kind]}
      </span>
      <div>{children}</div>
    </div>
  );
}
