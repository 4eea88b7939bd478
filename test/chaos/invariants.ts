// The list of invariants: what must hold whatever was killed at any time.

import { countedLabels } from '../../src/store/run/ended-counts.ts';
import { clientInvariants } from './client-invariants.ts';
import { foldersLeft, type RunRow } from './evidence.ts';
import type { Invariant } from './invariant.ts';
import { journalInvariants } from './journal-invariants.ts';
import { runInvariants } from './run-invariants.ts';

export const invariants: readonly Invariant[] = [
  ...runInvariants,
  ...journalInvariants,
  ...clientInvariants,
  {
    name: 'counters-agree',
    sentence: 'The counters of runs equal the number of rows.',
    breaches: ({ runs, counts, endedCounts, wrongLabels }) => [
      ...disagreements(
        runs.map(({ status, tenant, job_id, source }) => [status, tenant, job_id, source]),
        counts.map(({ status, tenant, job_id, source, count }) => [[status, tenant, job_id, source], Number(count)]),
      ),
      ...disagreements(
        runs.flatMap((run) => (run.finished_at === null ? [] : endedKinds(run, run.finished_at))),
        endedCounts.map(({ what, tenant, job_id, source, status, count }) => [
          [what, tenant, job_id, source, status],
          Number(count),
        ]),
      ),
      ...wrongLabels.map((row) => `the label ${row.key} of ${row.run_id} says ${row.status}`),
    ],
  },
  {
    name: 'database-is-whole',
    sentence: 'The database passes its integrity check.',
    breaches: ({ integrity }) => [...integrity],
  },
  {
    name: 'nothing-left',
    sentence: 'No process, cgroup or folder of an ended run is left.',
    breaches: (evidence) => [
      ...evidence.left.map(
        ({ pid, command, because }) => `process ${pid} is alive (${because}): ${command.slice(0, 200)}`,
      ),
      ...evidence.cgroups.map((path) => `the cgroup ${path} is there`),
      ...foldersLeft(evidence),
    ],
  },
  {
    name: 'stops-cleanly',
    sentence: 'On SIGTERM, the server exits with 0 within 5 s.',
    breaches: ({ ledger }) =>
      ledger.stops
        .filter(({ code, tookMs }) => code !== 0 || tookMs > 5_000)
        .map(({ code, signal, tookMs }) => `it ended with ${code ?? signal} after ${tookMs} ms`),
  },
  {
    name: 'stops-tidily',
    sentence: 'After SIGTERM, no folder of an ended run is left.',
    breaches: ({ ledger }) => [...ledger.leftAtStops],
  },
  {
    name: 'answers-properly',
    sentence: 'No request gets an unexpected response.',
    breaches: ({ ledger }) => [...ledger.refusals],
  },
];

/**
 * The counters of an ended run: by hour and day of its creation, by the key of each label, with and without its value,
 * and by hour and day of its end, for its job and, unless it is a sub-run, for all jobs.
 */
function endedKinds(run: RunRow, finishedAt: number): Kind[] {
  const { created_at, tenant, job_id, source, status, labels, trigger } = run;
  const ofLabels = countedLabels(JSON.parse(labels), trigger).flatMap(([key, value]) => [key, `${key}=${value}`]);
  const jobs = trigger === 'job' ? [job_id] : [job_id, ''];
  return [
    ...['', ...ofLabels]
      .flatMap((label) => [
        `${label} ${created_at - (created_at % 3_600_000)}`,
        `${label} day ${created_at - (created_at % 86_400_000)}`,
      ])
      .map((what) => [what, tenant, null, source, status]),
    ...ofLabels.map((label) => [label, tenant, job_id, source, status]),
    ...[`hour ${finishedAt - (finishedAt % 3_600_000)}`, `day ${finishedAt - (finishedAt % 86_400_000)}`].flatMap(
      (span) => jobs.map((job) => [`ended in ${span}`, tenant, job, null, status]),
    ),
  ];
}

type Kind = readonly unknown[];

function disagreements(rows: readonly Kind[], counters: readonly (readonly [Kind, number])[]): string[] {
  const counted = new Map<string, number>();
  for (const kind of rows) counted.set(JSON.stringify(kind), (counted.get(JSON.stringify(kind)) ?? 0) + 1);
  const kept = new Map(counters.map(([kind, count]) => [JSON.stringify(kind), count]));
  const kinds = [...new Set([...counted.keys(), ...kept.keys()])];
  return kinds
    .filter((kind) => (counted.get(kind) ?? 0) !== (kept.get(kind) ?? 0))
    .map((kind) => `${kind}: ${kept.get(kind) ?? 0} by the counter, ${counted.get(kind) ?? 0} rows`);
}
