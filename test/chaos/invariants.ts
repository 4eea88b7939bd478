// The written list: what must hold whatever was killed when.

import { foldersLeft } from './evidence.ts';
import type { Invariant } from './invariant.ts';
import { journalInvariants } from './journal-invariants.ts';
import { runInvariants } from './run-invariants.ts';

export const invariants: readonly Invariant[] = [
  ...runInvariants,
  ...journalInvariants,
  {
    name: 'counters-agree',
    sentence: 'The counters of runs are what counting the rows gives.',
    breaches({ runs, counts }) {
      const counted = new Map<string, number>();
      for (const { status, tenant, job_id, source } of runs) {
        const kind = [status, tenant, job_id, source].join(' ');
        counted.set(kind, (counted.get(kind) ?? 0) + 1);
      }
      const kept = new Map(
        counts.map(({ status, tenant, job_id, source, count }) => [
          [status, tenant, job_id, source].join(' '),
          Number(count),
        ]),
      );
      const kinds = [...new Set([...counted.keys(), ...kept.keys()])];
      return kinds
        .filter((kind) => (counted.get(kind) ?? 0) !== (kept.get(kind) ?? 0))
        .map((kind) => `${kind}: ${kept.get(kind) ?? 0} by the counter, ${counted.get(kind) ?? 0} rows`);
    },
  },
  {
    name: 'database-is-whole',
    sentence: 'The database passes its integrity check.',
    breaches: ({ integrity }) => [...integrity],
  },
  {
    name: 'nothing-left',
    sentence: 'No process, no cgroup and no folder of a run that has ended is left.',
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
    sentence: 'SIGTERM ends the server with 0 within 5 s.',
    breaches: ({ ledger }) =>
      ledger.stops
        .filter(({ code, tookMs }) => code !== 0 || tookMs > 5_000)
        .map(({ code, signal, tookMs }) => `it ended with ${code ?? signal} after ${tookMs} ms`),
  },
  {
    name: 'answers-properly',
    sentence: 'No request is answered with a fault of the server.',
    breaches: ({ ledger }) => [...ledger.refusals],
  },
];
