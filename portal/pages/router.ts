import { useEffect, useState } from 'preact/hooks';

export interface Place {
  readonly path: string;
  readonly query: URLSearchParams;
}

const changed = new EventTarget();

export function here(): Place {
  return { path: location.pathname, query: new URLSearchParams(location.search) };
}

/** Goes to another page of the portal. `replace`: Back does not return to the current page. */
export function go(address: string, how: 'push' | 'replace' = 'push'): void {
  if (how === 'push') history.pushState(null, '', address);
  else history.replaceState(null, '', address);
  changed.dispatchEvent(new Event('change'));
  if (how === 'push') scrollTo(0, 0);
}

export function usePlace(): Place {
  const [place, setPlace] = useState(here);
  useEffect(() => {
    const look = () => setPlace(here());
    changed.addEventListener('change', look);
    addEventListener('popstate', look);
    return () => {
      changed.removeEventListener('change', look);
      removeEventListener('popstate', look);
    };
  }, []);
  return place;
}

/** For links: a plain click navigates within the page, the browser handles everything else. */
export function follow(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  if (!(event.currentTarget instanceof HTMLAnchorElement)) return;
  event.preventDefault();
  go(event.currentTarget.pathname + event.currentTarget.search);
}
