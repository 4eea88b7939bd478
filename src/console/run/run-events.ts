// Reads the events of a run so far, in order.

import type { Client } from '../../client/client.ts';
import type { EventType } from '../../domain/event.ts';

export type RunEvent = Readonly<Record<string, unknown>>;

export async function readRunEvents(
  client: Client,
  o: { readonly runId: string; readonly types: readonly EventType[]; readonly signal: AbortSignal },
): Promise<RunEvent[]> {
  const response = await client.request('getRunEvents', {
    path: { run_id: o.runId },
    query: { types: o.types.join(',') },
    headers: { accept: 'application/x-ndjson' },
    signal: o.signal,
  });
  const lines = (await response.text()).split('\n').filter((line) => line !== '');
  return lines.map((line): RunEvent => JSON.parse(line));
}
