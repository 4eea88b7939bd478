// Refreshes an answer when an event says that it has changed, and when events may have been missed.

import type { QueryKey } from '@tanstack/react-query';
import { useRef } from 'react';
import type { Frame } from '../../client/resuming-stream.ts';
import { useRefresh } from './answers.tsx';
import { useRunEvents } from './streams.ts';

export function useRefreshOn(
  queryKey: QueryKey,
  isTelling: (frame: Frame) => boolean,
  o: { readonly settleMs?: number } = {},
): void {
  const refresh = useRefresh();
  const hasChanged = useRef(false);
  useRunEvents(o, {
    frame(frame) {
      hasChanged.current ||= isTelling(frame);
    },
    open() {
      hasChanged.current = true;
    },
    change() {
      if (hasChanged.current) refresh({ queryKey });
      hasChanged.current = false;
    },
  });
}
