// `npm run soak`: 20,000 runs from 8 clients, each client one run after the other. Memory, descriptors and processes
// must stay flat: compares the median over the last quarter of the runs with that over the second quarter (the first
// one warms up). `--write` puts the table into docs/reliability.md.

import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createRun, type Instance, startInstance, waitForJobs } from './instance.ts';
import { atLeast, atMost, type Figure, median, pool } from './measure.ts';
import { toRow, writeTable } from './report.ts';

const { values } = parseArgs({ options: { runs: { type: 'string', default: '20000' }, write: { type: 'boolean' } } });
const runs = Number(values.runs);
const clients = 8;
const jobs = {
  noop: { script: 'true\n' },
  lines: { script: 'for i in {1..20}; do echo "out $i"; echo "err $i" >&2; done\n' },
  keeper: { script: 'head -c 2000 /dev/urandom > "$FLWD_ARTIFACTS_DIR/kept"; flwd_progress 50 half; flwd_result 1\n' },
};

type Sample = {
  readonly done: number;
  readonly rss: number;
  readonly heapUsed: number;
  readonly delayP99Ms: number;
  readonly descriptors: number;
  readonly dbBytes: number;
  readonly walBytes: number;
};

const probeDir = mkdtempSync(join(tmpdir(), 'flwd-soak-'));
const probePath = join(probeDir, 'probe');
const instance = await startInstance(jobs, {
  env: {
    FLWD_BENCH_PROBE: probePath,
    NODE_OPTIONS: `--import ${new URL('./soak-probe.ts', import.meta.url).href}`,
  },
});
try {
  const figures = await soak(instance);
  for (const figure of figures) console.log(toRow(figure));
  if (values.write) writeTable('reliability.md', 'soak', figures, 'second quarter');
  process.exitCode = figures.every(({ verdict }) => verdict !== 'missed') ? 0 : 1;
} finally {
  await instance.stop();
  rmSync(probeDir, { recursive: true });
}

async function soak(o: Instance): Promise<Figure[]> {
  await waitForJobs(o.url, 3);
  const names = Object.keys(jobs);
  const samples: Sample[] = [];
  const before = childrenOf(o.pid);
  let done = 0;
  const over = new AbortController();
  const sampling = (async () => {
    while (!over.signal.aborted) {
      await delay(1_000, undefined, { signal: over.signal }).catch(() => undefined);
      const sample = look(o, done);
      if (sample) samples.push(sample);
      if (samples.length % 30 === 0) console.log(JSON.stringify(sample));
    }
  })();
  const sinceMs = performance.now();
  await pool(runs, clients, async (index) => {
    const run = await createRun(o.url, names[index % names.length] ?? 'noop', { async: false });
    if (run.status !== 'success') throw new Error(`a run ended as ${run.status}`);
    done += 1;
  });
  const seconds = (performance.now() - sinceMs) / 1_000;
  over.abort();
  await sampling;
  return figuresOf(samples, { runs: done, seconds, before, after: childrenOf(o.pid) });
}

function figuresOf(
  samples: readonly Sample[],
  o: { runs: number; seconds: number; before: number; after: number },
): Figure[] {
  const quarter = (n: number): readonly Sample[] =>
    samples.filter(({ done }) => done > ((n - 1) * runs) / 4 && done <= (n * runs) / 4);
  const flat = (name: string, unit: string, of: (sample: Sample) => number, limit: number): Figure => {
    const [second, last] = [quarter(2), quarter(4)].map((samples) => median(samples.map(of)));
    const figure = atMost(`${name}, last quarter`, unit, last ?? Number.NaN, {
      goal: limit,
      floor: second ?? Number.NaN,
    });
    return { ...figure, goal: `≤ ${limit} × second quarter` };
  };
  const last = samples.at(-1);
  return [
    atLeast('runs that ended as success', 'runs', o.runs, { goal: runs }),
    atLeast('runs a second', 'runs/s', o.runs / o.seconds, { goal: 1 }),
    flat('resident memory', 'MB', ({ rss }) => rss / 1e6, 1.15),
    flat('heap in use', 'MB', ({ heapUsed }) => heapUsed / 1e6, 1.15),
    flat('open descriptors', 'files', ({ descriptors }) => descriptors, 1.1),
    flat('event loop delay (99th percentile in each second)', 'ms', ({ delayP99Ms }) => delayP99Ms, 1.5),
    atMost('largest size of the WAL', 'MB', Math.max(...samples.map(({ walBytes }) => walBytes)) / 1e6, { goal: 80 }),
    atMost('size of the database per run', 'kB', (last?.dbBytes ?? 0) / 1e3 / o.runs, { goal: 10 }),
    atMost('child processes of the server, compared with the start', 'processes', o.after - o.before, { goal: 0 }),
  ];
}

/** Undefined until the probe has written its first line. */
function look({ pid, jobsDir }: Instance, done: number): Sample | undefined {
  const said = readFileSync(probePath, { encoding: 'utf8', flag: 'a+' }).trimEnd().split('\n').at(-1) ?? '';
  if (said === '') return undefined;
  const own: Pick<Sample, 'rss' | 'heapUsed' | 'delayP99Ms'> = JSON.parse(said);
  const db = join(dirname(jobsDir), 'flwd.db');
  return {
    ...own,
    done,
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    dbBytes: statSync(db).size,
    walBytes: statSync(`${db}-wal`).size,
  };
}

/** Children of the server and of its fork server, which starts the shims. */
function childrenOf(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  const pids = children === '' ? [] : children.split(' ').map(Number);
  return pids.reduce((sum, child) => sum + 1 + childrenOf(child), 0);
}
