// The width of the window, for layouts that CSS alone cannot switch between.

import { useSyncExternalStore } from 'react';

/** In a narrower window rows have two lines, and a bar below the page takes the place of the sidebar. */
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
