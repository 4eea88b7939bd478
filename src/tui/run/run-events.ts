// When to look at runs again: the server says what happens to them.

import { useEffect, useState } from 'react';
import { keepOpen } from '../../client/retrying.ts';
import { eventTypes } from '../../domain/event.ts';
import { useSurroundings } from '../screen.ts';

/** Whatever comes in a burst is looked at once. */
const settleMs = 200;
const retryMs = 1_000;
const types = eventTypes.filter((type) => !type.endsWith('.output')).join(',');

/** @returns a number that grows with what happens, to this run or, without one, to any */
export function useRunEvents(isActive: boolean, runId: string | null): number {
  const { client, epoch } = useSurroundings();
  const [changes, setChanges] = useState(0);
  // afresh for a server found again, or one that lets us in again
  useEffect(() => {
    if (!isActive) return undefined;
    const ending = new AbortController();
    const { signal } = ending;
    let timer: NodeJS.Timeout | undefined;
    const ring = (): void => {
      timer ??= setTimeout(() => {
        timer = undefined;
        setChanges((count) => count + 1);
      }, settleMs);
    };
    const query = { types, ...(runId !== null && { run_id: runId }) };
    // Without events it is looked at now and then all the same.
    void keepOpen({ signal, retryMs }, async () => {
      // Rung once it is open: of what happened before, it says nothing.
      for await (const _ of client.stream('streamRunEvents', { query, signal, onOpen: ring })) ring();
      return true;
    });
    return () => {
      ending.abort();
      clearTimeout(timer);
    };
  }, [client, isActive, runId, epoch]);
  return changes;
}
