// The width of the window, for what CSS alone cannot lay out differently.

import { useSyncExternalStore } from 'react';

/** Below this width rows have two lines, and the sidebar is a bar below the page. */
export const narrowPx = 700;

export function useWidth(): number {
  return useSyncExternalStore(
    (changed) => {
      addEventListener('resize', changed);
      return () => removeEventListener('resize', changed);
    },
    () => innerWidth,
  );
}
