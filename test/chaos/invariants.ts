// What must hold whatever was killed when: each with a name, a sentence, and how a breach of it is found.

import type { Evidence, RunRow } from './evidence.ts';
import type { Order } from './ledger.ts';
import { logBreaches } from './log-invariant.ts';

export type Invariant = {
  readonly name: string;
  readonly sentence: string;
  readonly breaches: (evidence: Evidence) => string[];
};

export const invariants: readonly Invariant[] = [
  {
    name: 'acknowledged',
    sentence: 'Every run that was acknowledged is in the database.',
    breaches({ ledger, runs }) {
      const known = new Set(runs.map(({ id }) => id));
      const told = new Set(ledger.orders.flatMap(({ answers }) => answers));
      return [...told].filter((id) => !known.has(id)).map((id) => `${id} was acknowledged and is not there`);
    },
  },
  {
    name: 'ends-once',
    sentence: 'Every run ends, once: one run.created and one run.finished in the journal, and at most one run.started.',
    breaches({ runs, events }) {
      const counted = new Map<string, Record<string, number>>();
      for (const { run_id, type } of events) {
        const of = counted.get(run_id) ?? {};
        counted.set(run_id, { ...of, [type]: (of[type] ?? 0) + 1 });
      }
      return runs.flatMap((run) => {
        const count = counted.get(run.id) ?? {};
        const started = run.started_at === null ? 0 : 1;
        const wanted = { 'run.created': 1, 'run.started': started, 'run.finished': 1 };
        const wrong = Object.entries(wanted).filter(([type, n]) => (count[type] ?? 0) !== n);
        const said = wrong.map(([type]) => `${run.id} has ${count[type] ?? 0} ${type}`);
        return isEnded(run) ? said : [...said, `${run.id} (${run.job_id}) is still ${run.status}`];
      });
    },
  },
  {
    name: 'ends-as-it-should',
    sentence:
      'A run ends as its script does; it is cancelled only where that was asked, and lost only where its shim or the machine died.',
    breaches: (evidence) =>
      evidence.runs.flatMap((run) => {
        const wanted = evidence.scripts[run.job_id]?.ends;
        const order = orderOf(evidence, run);
        if (run.status === wanted?.status && run.reason === wanted.reason) return [];
        if (run.status === 'cancelled' && order?.isCancelled) return [];
        if (run.reason === 'lost' && mayBeLost(evidence, run)) return [];
        return [`${run.id} (${run.job_id}) ended as ${run.status}, ${run.reason}`];
      }),
  },
  {
    name: 'log-is-exact',
    sentence:
      'The log of a run has the lines that its script printed, in order, none lost and none doubled; of one that was ended early, the first of them.',
    breaches: logBreaches,
  },
  {
    name: 'ids-grow',
    sentence: 'Event ids only grow, and no two rows of the journal share one.',
    breaches({ events }) {
      let next = 1;
      return events.flatMap(({ id, count }) => {
        const breach = id < next ? [`the row ${id} begins before ${next}`] : [];
        next = id + count;
        return breach;
      });
    },
  },
  {
    name: 'lines-announced-once',
    sentence: 'Each line of a log has one id in the journal.',
    breaches({ events, logs }) {
      const next = new Map<string, number>();
      const breaches: string[] = [];
      for (const { run_id, first_seq, count } of events) {
        if (first_seq === null) continue;
        const wanted = next.get(run_id) ?? 1;
        if (first_seq !== wanted) breaches.push(`${run_id} announces line ${first_seq} where ${wanted} is next`);
        next.set(run_id, first_seq + count);
      }
      for (const [runId, lines] of logs) {
        const announced = (next.get(runId) ?? 1) - 1;
        if (announced !== lines.length) breaches.push(`${runId} has ${lines.length} lines, ${announced} announced`);
      }
      return breaches;
    },
  },
  {
    name: 'follower-saw-all',
    sentence:
      'A follower that resumes by Last-Event-ID over every restart has seen each event once, as a new follower sees it now: same id, same text, same time.',
    breaches({ seen, replayed }) {
      const breaches = seen.flatMap(({ id }, i) => {
        const before = seen[i - 1]?.id ?? 0;
        return id > before ? [] : [`id ${id} came after ${before}`];
      });
      const shown = new Map(seen.map((frame) => [frame.id, `${frame.event} ${frame.data}`]));
      for (const { id, event, data } of replayed) {
        const was = shown.get(id);
        shown.delete(id);
        if (was === undefined) breaches.push(`${id} was never seen: ${event} ${data}`);
        else if (was !== `${event} ${data}`) breaches.push(`${id} was ${was} and is ${event} ${data}`);
      }
      for (const [id, was] of shown) breaches.push(`${id} was seen and is gone: ${was}`);
      return breaches;
    },
  },
  {
    name: 'times-stay',
    sentence: 'The time that a follower was shown for a line is the one that the log has at the end.',
    breaches({ seen, logs }) {
      const shown = Map.groupBy(
        seen.filter(({ event }) => event === 'run.output'),
        ({ runId }) => runId,
      );
      return [...logs].flatMap(([runId, lines]) => {
        const then = (shown.get(runId) ?? []).map(({ data }) => timeAndMessage(JSON.parse(data)));
        const now = lines.map(timeAndMessage);
        const at = now.findIndex((line, i) => line !== then[i]);
        return at < 0 ? [] : [`${runId} line ${at + 1} is ${now[at]} and was shown as ${then[at]}`];
      });
    },
  },
  {
    name: 'keys-hold',
    sentence: 'A request that is sent again with its Idempotency-Key, before or after a kill, makes no second run.',
    breaches({ ledger, runs }) {
      const made = Map.groupBy(runs, orderNameOf);
      return ledger.orders.flatMap((order) => {
        const ids = new Set([...order.answers, ...(made.get(order.name) ?? []).map(({ id }) => id)]);
        return ids.size > 1 ? [`${order.name} (${order.key}) made ${[...ids].join(', ')}`] : [];
      });
    },
  },
  {
    name: 'cancel-is-proven',
    sentence: 'A run that was running when it was cancelled has the proof that nothing was left of it.',
    breaches: ({ runs }) =>
      runs
        .filter(({ status, started_at }) => status === 'cancelled' && started_at !== null)
        .filter(({ termination }) => (termination === null ? -1 : JSON.parse(termination).remaining) !== 0)
        .map(({ id, termination }) => `${id} was cancelled with the proof ${termination}`),
  },
  {
    name: 'epochs-apart',
    sentence: 'Two attempts of a step never overlap, and the later one has the higher epoch.',
    breaches: ({ steps }) =>
      steps.flatMap((step, i) => {
        const before = steps[i - 1];
        if (!before || before.run_id !== step.run_id || before.step_id !== step.step_id) return [];
        const name = `${step.run_id} ${step.step_id} attempt ${step.attempt}`;
        const isOver = before.finished_at !== null && Number(before.finished_at) <= Number(step.started_at ?? Infinity);
        const grows = !('epoch' in step) || Number(step.epoch) > Number(before.epoch);
        return [
          ...(isOver ? [] : [`${name} began before the one before it ended`]),
          ...(grows ? [] : [`${name} has no later epoch`]),
        ];
      }),
  },
  {
    name: 'stale-writer-is-refused',
    sentence: 'A former process that has stalled cannot end an attempt that another process has taken up.',
    breaches: ({ ledger }) =>
      ledger.staleWrites.filter(({ changed }) => changed).map(({ runId }) => `${runId} was ended by a stale writer`),
  },
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
    sentence: 'No process and no folder of a run that has ended is left.',
    breaches: ({ left, runFolders }) => [
      ...left.map(({ pid, command, because }) => `process ${pid} is alive (${because}): ${command.slice(0, 200)}`),
      ...runFolders.map((name) => `the folder runs/${name} is there`),
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

function isEnded({ status }: RunRow): boolean {
  return status !== 'pending' && status !== 'running';
}

function orderNameOf({ labels }: RunRow): string {
  const { order }: { order: string } = JSON.parse(labels);
  return order;
}

function orderOf({ ledger }: Evidence, run: RunRow): Order | undefined {
  const name = orderNameOf(run);
  return ledger.orders.find((order) => order.name === name);
}

function mayBeLost({ ledger }: Evidence, run: RunRow): boolean {
  const livedThroughACut = ledger.powerCuts.some(
    ({ atMs }) => Number(run.started_at) <= atMs && atMs <= Number(run.finished_at),
  );
  return livedThroughACut || ledger.shimsKilled.has(run.id);
}

function timeAndMessage({ timestamp, message }: { timestamp: string; message: string }): string {
  return `${timestamp} ${message}`;
}
