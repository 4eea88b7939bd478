// A page of 50 runs by each filter except free text, the first page and a deep one, and the statistics of each range,
// with 10,000 and with 1,000,000 runs in the store. Prints each time to stderr; the figures are those of the slowest.

import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { startInstance } from './instance.ts';
import { fillWithRuns, jobAt, jobCount, type ManyRuns } from './many-runs.ts';
import { atMost, type Figure, nowMs, percentile } from './measure.ts';

const few = 10_000;
const many = 1_000_000;
const samples = 60;
/** A filter that is far too slow gets fewer requests. */
const mostMs = 2_000;
const fewestSamples = 10;
const pages = ['first page', 'deep page'] as const;
const ranges = ['24h', '7d', '30d'] as const;

type Filter = Readonly<Record<string, string>>;

/** The filters by name. If a filter has several values, each request uses another value. */
function filtersOf({ oldestAtMs, newestAtMs }: ManyRuns): Readonly<Record<string, (n: number) => Filter>> {
  const spanMs = newestAtMs - oldestAtMs;
  const at = (share: number): string => new Date(oldestAtMs + spanMs * share).toISOString();
  const job = (n: number): Filter => ({ job_id: jobAt((n * 37) % jobCount) });
  const tenant = (n: number): Filter => ({ tenant: ['default', 'acme', 'hooli'][n % 3] ?? '' });
  const source = (n: number): Filter => ({ source: ['local', 'ops', 'data'][n % 3] ?? '' });
  const status = (n: number): Filter => ({ status: ['success', 'failed', 'cancelled'][n % 3] ?? '' });
  const label = (n: number): Filter => ({ label: `team=${['ops', 'web', 'mail'][n % 3]}` });
  const labelKey = (n: number): Filter => ({ label: n % 2 === 0 ? 'team' : 'env' });
  const ticket = (n: number): Filter => ({ label: `ticket=OPS-${(n * 31) % 2_000}` });
  const since = (n: number): Filter => ({ since: at(n / 100) });
  const until = (n: number): Filter => ({ until: at(1 - n / 100) });
  const day = (n: number): Filter => ({ since: at(0.3 + n / 200), until: at(0.32 + n / 200) });
  const pending = (): Filter => ({ status: 'pending' });
  const all = (...parts: readonly ((n: number) => Filter)[]): ((n: number) => Filter) => {
    return (n) => Object.assign({}, ...parts.map((part) => part(n)));
  };
  return {
    none: () => ({}),
    job,
    tenant,
    source,
    status,
    'a status no run has': pending,
    'label and value': label,
    'label alone': labelKey,
    'a rare label': ticket,
    since,
    until,
    'since and until': day,
    'job, status': all(job, status),
    'job, tenant': all(job, tenant),
    'job, source': all(job, source),
    'job, label': all(job, label),
    'job, since': all(job, since),
    'status, tenant': all(status, tenant),
    'status, source': all(status, source),
    'no run’s status, source': all(pending, source),
    'status, label': all(status, label),
    'no run’s status, label': all(pending, label),
    'status, since': all(status, since),
    'tenant, source': all(tenant, source),
    'tenant, label': all(tenant, label),
    'tenant, since': all(tenant, since),
    'source, label': all(source, label),
    'source, since': all(source, since),
    'label, since': all(label, since),
    'label, day': all(label, day),
    'job, status, tenant': all(job, status, tenant),
    'job, status, tenant, source, label, since': all(job, status, tenant, source, label, since),
  };
}

export async function listFigures(bin: string): Promise<Figure[]> {
  const ofFew = await measure(few, bin);
  const ofMany = await measure(many, bin);
  const lists = pages.flatMap((page) => {
    const slowest = slowestOf(ofMany[page]);
    const growth = [...ofMany[page]].map(([name, { p50 }]) => {
      const before = ofFew[page].get(name)?.p50 ?? Number.NaN;
      return { name, p50, before };
    });
    const [grown] = growth.toSorted((a, b) => b.p50 - b.before - (a.p50 - a.before));
    if (!grown) return [];
    const what = `50 of 1,000,000 runs, ${page}`;
    return [
      atMost(`${what}, p95 of the slowest filter (${slowest.name})`, 'ms', slowest.p95, { goal: 20 }),
      atMost(`${what}, p50 of the filter that grew most (${grown.name}); floor: of 10,000`, 'ms', grown.p50, {
        goal: 1.5,
        plus: 2,
        floor: grown.before,
      }),
    ];
  });
  const { name, p95 } = slowestOf(ofMany.statistics);
  return [
    ...lists,
    atMost(`Statistics of 1,000,000 runs, p95 of the slowest range (${name})`, 'ms', p95, { goal: 50 }),
  ];
}

type Took = ReadonlyMap<string, { readonly p50: number; readonly p95: number }>;
type Ask = (query: (n: number) => Filter) => Promise<number[]>;

function slowestOf(took: Took): { readonly name: string; readonly p95: number } {
  const [slowest] = [...took].toSorted(([, a], [, b]) => b.p95 - a.p95);
  if (!slowest) throw new Error('nothing was measured');
  return { name: slowest[0], p95: slowest[1].p95 };
}

async function measure(count: number, bin: string): Promise<Record<(typeof pages)[number] | 'statistics', Took>> {
  let filled: { runs: ManyRuns; path: string } | undefined;
  const instance = await startInstance(
    { noop: { script: 'true\n' } },
    {
      bin,
      async fillDatabase(path) {
        filled = { runs: await fillWithRuns(path, count), path };
      },
    },
  );
  try {
    if (!filled) throw new Error('the database was not filled');
    const { cursorAt } = filled.runs;
    const filters = Object.entries(filtersOf(filled.runs));
    using database = new DatabaseSync(filled.path, { timeout: 5_000 });
    const ask = createAsk(`${instance.url}/api/v1/runs?limit=50`, database);
    const askStatistics = createAsk(`${instance.url}/api/v1/stats?by=job`, database);
    // Warms up the server: the code of a server that has just started is not compiled yet.
    for (let round = 0; round < 5; round++) await ask(() => ({}));
    const of = async (page: (typeof pages)[number]): Promise<Took> => {
      const took = new Map<string, { p50: number; p95: number }>();
      for (const [name, filter] of filters) {
        const times = await ask((n) =>
          page === 'first page' ? filter(n) : { ...filter(n), cursor: cursorAt(0.3 + n / (3 * samples)) },
        );
        took.set(name, summary(times, `${count.toLocaleString('en')} runs, ${page}, by ${name}`));
      }
      return took;
    };
    const statistics = new Map<string, { p50: number; p95: number }>();
    for (const range of ranges) {
      const times = await askStatistics(() => ({ range }));
      statistics.set(range, summary(times, `${count.toLocaleString('en')} runs, statistics of ${range} by job`));
    }
    return { statistics, 'first page': await of('first page'), 'deep page': await of('deep page') };
  } finally {
    await instance.stop();
  }
}

function summary(times: readonly number[], what: string): { readonly p50: number; readonly p95: number } {
  const [p50, p95] = [percentile(times, 50), percentile(times, 95)];
  console.error(`${what}: p50 ${p50.toFixed(1)} ms, p95 ${p95.toFixed(1)} ms`);
  return { p50, p95 };
}

/** Changes the database before each request, as starting and ending runs do, so that no stored answer can be used. */
function createAsk(url: string, database: DatabaseSync): Ask {
  // SQLite writes nothing, and counts no commit, if the row stays the same.
  const change = database.prepare('UPDATE run_counts SET count = count + ? WHERE rowid = 1');
  return async (query) => {
    const times: number[] = [];
    const since = nowMs();
    for (let n = 0; n < samples && (n < fewestSamples || nowMs() - since < mostMs); n++) {
      change.run(n % 2 === 0 ? 1 : -1);
      const startedAt = nowMs();
      await untilListed(`${url}&${new URLSearchParams(query(n)).toString()}`);
      times.push(nowMs() - startedAt);
    }
    return times;
  };
}

/**
 * A server that a query blocks for too long answers 503 to the next requests. The time until it answers again counts.
 */
async function untilListed(url: string): Promise<void> {
  for (;;) {
    const answer = await fetch(url);
    const { runs } = (await answer.json()) as { runs?: unknown[] };
    if (runs) return;
    if (answer.status !== 503) throw new Error(`${url} was answered with ${answer.status}`);
    await delay(100);
  }
}
