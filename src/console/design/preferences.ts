// What a user chooses for this browser: theme, density, sidebar, single keys, favourites.

import { useCallback, useSyncExternalStore } from 'react';

const changed = 'flwd.preference';

/** A text that this browser stores. A change reaches all components that use it, in all windows. */
export function usePreference(name: string): [string | null, (value: string | null) => void] {
  const key = `flwd.${name}`;
  const value = useSyncExternalStore(watch, () => localStorage.getItem(key));
  const keep = useCallback(
    (next: string | null) => {
      if (next === null) localStorage.removeItem(key);
      else localStorage.setItem(key, next);
      dispatchEvent(new Event(changed));
    },
    [key],
  );
  return [value, keep];
}

/** The preferences of the person. All others, such as the theme, belong to the browser. */
const ofPerson = ['favourites', 'filters'];

/** Removes what the next user of this browser must not see. Called when somebody signs out. */
export function forgetPerson(): void {
  for (const name of ofPerson) localStorage.removeItem(`flwd.${name}`);
  dispatchEvent(new Event(changed));
}

function watch(onChange: () => void): () => void {
  addEventListener(changed, onChange);
  addEventListener('storage', onChange);
  return () => {
    removeEventListener(changed, onChange);
    removeEventListener('storage', onChange);
  };
}

/**
 * Sets the selected theme and density as attributes of the page. A preference that follows the system has no attribute
 * (design/tokens.css).
 */
export function showPreferences(): void {
  const { dataset } = document.documentElement;
  const show = (): void => {
    for (const name of ['theme', 'density'] as const) {
      const value = localStorage.getItem(`flwd.${name}`);
      if (value === null) delete dataset[name];
      else dataset[name] = value;
    }
  };
  show();
  watch(show);
}
