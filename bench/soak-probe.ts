// Loaded into the server under test (node --import): writes one line a second with figures that only the process can
// see.

import { appendFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';

const path = process.env.FLWD_BENCH_PROBE ?? '';
const delay = monitorEventLoopDelay({ resolution: 10 });
delay.enable();
setInterval(() => {
  const { heapUsed, rss } = process.memoryUsage();
  appendFileSync(path, `${JSON.stringify({ heapUsed, rss, delayP99Ms: delay.percentile(99) / 1e6 })}\n`);
  delay.reset();
}, 1_000).unref();
