// Metrics of the process, under the names that Prometheus clients usually give them.

import { readdirSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { isThere } from '../../lib/files/is-there.ts';
import { type Family, type Sample, single } from './families.ts';

/** How often the timer that measures the delay wakes the process. The timer does not run before the first scrape. */
const resolutionMs = 20;
const percentiles = [50, 99, 100];
const descriptors = '/proc/self/fd';

export function createProcessMetrics(o: { readonly version: string; readonly startedAtMs: number }): {
  readonly families: readonly Family[];
  readonly close: () => void;
} {
  let delay: ReturnType<typeof monitorEventLoopDelay> | undefined;

  /** Yields the delays of the event loop since the last scrape. */
  function* loopDelays(): Generator<Sample> {
    if (!delay) {
      delay = monitorEventLoopDelay({ resolution: resolutionMs });
      delay.enable();
    }
    for (const percentile of percentiles) {
      // A measured delay includes the interval of the timer itself, so the interval is subtracted.
      const ms = delay.count === 0 ? 0 : Math.max(0, delay.percentile(percentile) / 1e6 - resolutionMs);
      yield { labels: { percentile: String(percentile) }, value: ms / 1000 };
    }
    delay.reset();
  }

  return {
    families: [
      {
        name: 'flwd_build_info',
        help: 'Always 1; the label has the version.',
        kind: 'gauge',
        samples: () => [{ labels: { version: o.version }, value: 1 }],
      },
      single('gauge', 'process_start_time_seconds', 'When the process started.', () => o.startedAtMs / 1000),
      single('gauge', 'process_resident_memory_bytes', 'Resident memory.', () => process.memoryUsage.rss()),
      single('counter', 'process_cpu_seconds_total', 'CPU time, user and system.', () => {
        const { user, system } = process.cpuUsage();
        return (user + system) / 1e6;
      }),
      {
        name: 'process_open_fds',
        help: 'Open file descriptors.',
        kind: 'gauge',
        samples: () => (isThere(descriptors) ? [{ labels: {}, value: readdirSync(descriptors).length }] : []),
      },
      {
        name: 'flwd_event_loop_delay_seconds',
        help: 'Delay of the event loop since the last scrape.',
        kind: 'gauge',
        samples: loopDelays,
      },
    ],
    close: () => void delay?.disable(),
  };
}
