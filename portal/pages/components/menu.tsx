import { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks';

export interface MenuItem {
  readonly label: string;
  /** Shown below the label: what it is, or why it cannot be chosen. */
  readonly note?: string | undefined;
  readonly disabled?: boolean;
  readonly onChoose: () => void;
}

export interface MenuProps {
  readonly label: string;
  readonly items: readonly MenuItem[];
  readonly button?: string;
  /** What the commands are about, for screen readers. */
  readonly of?: string;
}

/** A button that opens a list: arrows, Home, End, Escape and Tab do what they do in every menu. */
export function Menu({ label, items, button = 'button', of }: MenuProps) {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const opener = useRef<HTMLButtonElement>(null);
  const id = useId();

  useEffect(() => {
    if (!open) return;
    const outside = (event: Event) => {
      if (event.target instanceof Node && root.current?.contains(event.target) !== true) setOpen(false);
    };
    document.addEventListener('pointerdown', outside);
    return () => document.removeEventListener('pointerdown', outside);
  }, [open]);

  return (
    <div class="menu" ref={root}>
      <button
        ref={opener}
        type="button"
        class={button}
        aria-label={of === undefined ? undefined : `${label} ${of}`}
        aria-haspopup="menu"
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        onClick={() => setOpen(!open)}
        onKeyDown={(event) => {
          if (event.key !== 'ArrowDown') return;
          event.preventDefault();
          setOpen(true);
        }}
      >
        {label}
        <span class="caret" aria-hidden="true" />
      </button>
      {open && (
        <MenuList
          id={id}
          label={label}
          items={items}
          onClose={() => {
            setOpen(false);
            opener.current?.focus();
          }}
          onLeave={() => setOpen(false)}
        />
      )}
    </div>
  );
}

interface MenuListProps {
  readonly id: string;
  readonly label: string;
  readonly items: readonly MenuItem[];
  /** The focus goes back to the button. */
  readonly onClose: () => void;
  /** The focus goes on to what follows. */
  readonly onLeave: () => void;
}

function MenuList({ id, label, items, onClose, onLeave }: MenuListProps) {
  const list = useRef<HTMLDivElement>(null);
  const entries = () => [...(list.current?.querySelectorAll<HTMLElement>('[role=menuitem]') ?? [])];

  useLayoutEffect(() => entries()[0]?.focus(), []);

  const move = (event: KeyboardEvent) => {
    const all = entries();
    const at = all.findIndex((entry) => entry.contains(document.activeElement));
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (event.key === 'Escape') onClose();
    else if (event.key === 'Tab') onLeave();
    else if (to !== undefined) all[(to + all.length) % all.length]?.focus();
    if (event.key !== 'Tab' && (to !== undefined || event.key === 'Escape')) event.preventDefault();
  };

  return (
    <div class="menu-list" role="menu" aria-label={label} id={id} tabIndex={-1} ref={list} onKeyDown={move}>
      {items.map((item) => (
        <button
          key={item.label}
          type="button"
          role="menuitem"
          aria-disabled={item.disabled === true}
          onClick={() => {
            if (item.disabled === true) return;
            onClose();
            item.onChoose();
          }}
        >
          <span>{item.label}</span>
          {item.note !== undefined && <small>{item.note}</small>}
        </button>
      ))}
    </div>
  );
}
