// Starts the exports that flwd.yaml configures: the spans of runs, the lines of their logs, or both. Each export has
// its own loop and its own cursor, so that one does not delay the other.

import type { Signal } from '../store/exports.ts';
import type { Store } from '../store/open.ts';
import { exportUntil } from './export.ts';
import { createLogSource } from './log-records.ts';
import { createOrigin } from './origin.ts';
import type { ExportOptions } from './source.ts';
import { createSpanSource } from './spans.ts';

export function startExports(
  o: ExportOptions & {
    readonly store: Pick<Store, 'db' | 'exports' | 'journal' | 'logs'>;
    readonly signals: readonly Signal[];
    /** The name of the instance. */
    readonly instance: string;
  },
) {
  const ending = new AbortController();
  const { exports, journal, logs } = o.store;
  const origin = createOrigin(o.instance, o.version);
  const start: Readonly<Record<Signal, () => Promise<void>>> = {
    traces: () => exportUntil(ending.signal, createSpanSource({ exports, origin }), o),
    logs: () => exportUntil(ending.signal, createLogSource({ exports, journal, logs, origin }), o),
  };
  const running = o.signals.map((signal) => start[signal]());
  return {
    /** Aborts the requests in progress. The next start sends their items again. */
    async close(): Promise<void> {
      ending.abort();
      await Promise.all(running);
    },
  };
}
