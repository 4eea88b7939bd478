// Invariants of runs: each exists, ended once and as expected, and has all its output and artifacts.

import { type Evidence, mayBeLost, orderOf, type RunRow } from './evidence.ts';
import type { Invariant } from './invariant.ts';
import { logBreaches } from './log-invariant.ts';
import type { ScriptArgs } from './scripts.ts';

export const runInvariants: readonly Invariant[] = [
  {
    name: 'acknowledged',
    sentence: 'Every acknowledged run is in the database.',
    breaches({ ledger, runs }) {
      const known = new Set(runs.map(({ id }) => id));
      const told = new Set(ledger.orders.flatMap(({ answers }) => answers));
      return [...told].filter((id) => !known.has(id)).map((id) => `${id} was acknowledged and does not exist`);
    },
  },
  {
    name: 'ends-once',
    sentence: 'Every run ends once: the journal has one run.created, one run.finished, and at most one run.started.',
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
      'A run ends like its script. It is cancelled only on request, and lost only if its shim or the machine died.',
    breaches: (evidence) =>
      evidence.runs.flatMap((run) => {
        const wanted = evidence.scripts[run.job_id]?.ends;
        const order = orderOf(evidence, run);
        if (run.status === wanted?.status && run.reason === wanted.reason) return [];
        if (run.status === 'cancelled' && order?.isCancelled) return [];
        if (run.status !== 'success' && mayBeLost(evidence, run)) return [];
        if (run.reason === 'start_failed' && wasBeingStarted(evidence, run)) return [];
        return [`${run.id} (${run.job_id}) ended as ${run.status}, ${run.reason}: ${howStepsEnded(evidence, run)}`];
      }),
  },
  {
    name: 'log-is-exact',
    sentence:
      'The log of a run has each line that its script printed once, in order. If the run was ended early, it has the first lines.',
    breaches: logBreaches,
  },
  {
    name: 'keeps-what-it-made',
    sentence: 'A successful run has its result and its complete artifacts.',
    breaches: ({ runs, artifacts }) =>
      runs
        .filter(({ job_id, status }) => job_id === 'keeper' && status === 'success')
        .flatMap(({ id, args, result }) => {
          const { n }: ScriptArgs = JSON.parse(args);
          const found = JSON.stringify({ result: JSON.parse(result ?? 'null'), artifacts: artifacts.get(id) });
          const wanted = JSON.stringify({ result: { value: { n } }, artifacts: ['kept.txt: kept\n'] });
          return found === wanted ? [] : [`${id} has ${found}`];
        }),
  },
  {
    name: 'keys-hold',
    sentence: 'A request that is repeated with its Idempotency-Key, before or after a kill, creates no second run.',
    breaches({ ledger, runs }) {
      // A sub-run has its parent's labels.
      const ordered = runs.filter(({ details }) => JSON.parse(details).parent === null);
      const made = Map.groupBy(ordered, ({ labels }) => (JSON.parse(labels) as { order?: string }).order);
      return ledger.orders.flatMap((order) => {
        const ids = new Set([...order.answers, ...(made.get(order.name) ?? []).map(({ id }) => id)]);
        return ids.size > 1 ? [`${order.name} (${order.key}) made ${[...ids].join(', ')}`] : [];
      });
    },
  },
  {
    name: 'cancel-is-proven',
    sentence:
      'A run whose processes were ended by a cancellation has the proof that no process is left. Each of those steps has it, too.',
    breaches({ runs, steps, logs }) {
      // A run that was cancelled before its process started needs no proof. A run that printed something had a process.
      const ended = steps.filter(
        ({ kind, status, run_id, ...step }) =>
          kind === 'command' &&
          status === 'cancelled' &&
          logs.get(String(run_id))?.some((line) => line.step_id === step.step_id && line.attempt === step.attempt),
      );
      const runIds = new Set(ended.map(({ run_id }) => run_id));
      const hit = runs.filter(({ id, status }) => status === 'cancelled' && runIds.has(id));
      const proofs = [
        ...ended.map(({ run_id, step_id, termination }) => ({ name: `${run_id} ${step_id}`, termination })),
        ...hit.map(({ id, termination }) => ({ name: id, termination })),
      ];
      return proofs
        .filter(({ termination }) => (termination === null ? -1 : JSON.parse(String(termination)).remaining) !== 0)
        .map(({ name, termination }) => `${name} was cancelled with the proof ${termination}`);
    },
  },
  {
    name: 'epochs-apart',
    sentence: 'Two attempts of a step never overlap, and the epochs of a started attempt follow one another.',
    breaches: ({ steps }) =>
      steps.flatMap((step, i) => {
        const name = `${step.run_id} ${step.step_id} attempt ${step.attempt}`;
        const hasEpoch = !('epoch' in step) || (step.started_at === null) === (step.epoch === 0);
        const before = steps[i - 1];
        const isFirst = !before || before.run_id !== step.run_id || before.step_id !== step.step_id;
        const begins = Number(step.started_at ?? Infinity);
        const isApart = isFirst || (before.finished_at !== null && Number(before.finished_at) <= begins);
        return [
          ...(isApart ? [] : [`${name} began before the one before it ended`]),
          ...(hasEpoch ? [] : [`${name} has the epoch ${step.epoch}`]),
        ];
      }),
  },
  {
    name: 'stale-writer-is-refused',
    sentence: 'A stalled process cannot end an attempt that another process has resumed.',
    breaches: ({ ledger }) =>
      ledger.staleWrites
        .filter(({ isChanged }) => isChanged)
        .map(({ runId }) => `${runId} was ended by a stale writer`),
  },
  {
    name: 'second-engine-takes-nothing',
    sentence: 'A second engine on the same database never takes a run that the server drives.',
    breaches: ({ ledger }) =>
      ledger.secondEngines.flatMap(({ taken }) => taken.map((runId) => `${runId} was taken by a second engine`)),
  },
];

function howStepsEnded({ steps }: Evidence, run: RunRow): string {
  const those = steps.filter(({ run_id }) => run_id === run.id);
  return those.map(({ step_id, attempt, error }) => `${step_id} ${attempt} ${error}`).join('; ');
}

function isEnded({ status }: RunRow): boolean {
  return status !== 'pending' && status !== 'running';
}

/** Until a busy server notices that its fork server is dead, it hands attempts to it. */
const hearsWithinMs = 1_000;

/** Whether a fork server was killed while the run was running, or just before it received the run. */
function wasBeingStarted({ ledger }: Evidence, run: RunRow): boolean {
  return ledger.forkServersKilled.some(
    (atMs) => Number(run.started_at) - hearsWithinMs <= atMs && atMs <= Number(run.stored_at),
  );
}
