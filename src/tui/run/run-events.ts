// Follows the server's events, to know when runs must be read again.

import { useEffect, useState } from 'react';
import { keepOpen } from '../../client/retrying.ts';
import { eventTypes } from '../../domain/event.ts';
import { useScreenContext } from '../screen.ts';

/** Events within this time cause only one refresh. */
const settleMs = 200;
const retryMs = 1_000;
const types = eventTypes.filter((type) => !type.endsWith('.output')).join(',');

/** @returns a number that grows when there are events of this run, or of any run if `runId` is null */
export function useRunEvents(isActive: boolean, runId: string | null): number {
  const { client, epoch } = useScreenContext();
  const [changes, setChanges] = useState(0);
  // The stream is opened again when the server is reachable again or accepts the token again.
  useEffect(() => {
    if (!isActive) return undefined;
    const ending = new AbortController();
    const { signal } = ending;
    let timer: NodeJS.Timeout | undefined;
    const noteChange = (): void => {
      timer ??= setTimeout(() => {
        timer = undefined;
        setChanges((count) => count + 1);
      }, settleMs);
    };
    const query = { types, ...(runId !== null && { run_id: runId }) };
    // If the stream fails for good, polling still keeps the screen up to date.
    void keepOpen({ signal, retryMs }, async () => {
      // A new stream does not report earlier events, so its opening counts as a change.
      for await (const _ of client.stream('streamRunEvents', { query, signal, onOpen: noteChange })) noteChange();
      return true;
    });
    return () => {
      ending.abort();
      clearTimeout(timer);
    };
  }, [client, isActive, runId, epoch]);
  return changes;
}
