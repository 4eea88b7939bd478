// Drives one run, from its first step to its last row. It turns decisions into rows and processes: what follows
// from one end is one transaction, and a process starts only once that is durable (ADR 0014).

import type { Decision } from '../../domain/run.ts';
import type { Transaction } from '../../store/database.ts';
import { Superseded } from '../../store/superseded.ts';
import { createAdvance } from './advance.ts';
import { approveStep } from './approvals.ts';
import { cancelled } from './attempt/outcome.ts';
import { applyBatch, carryOn, giveUpBatch, newBatch } from './batch.ts';
import { createDrivenRun, moveDeadlines, runOverdue } from './driven-run.ts';
import { createInterruptions } from './interruptions.ts';
import type { ControllerContext, ControllerSource, Surroundings } from './run-context.ts';
import { detachRun, finishRun } from './run-end.ts';
import type { Slot } from './slots.ts';
import { hasEnded } from './step-instances.ts';

export type RunController = {
  readonly runId: string;
  /** The run's last row is written, or this process has stopped driving the run. */
  readonly finished: Promise<void>;
  /** Claims the run and begins its first steps, in one transaction with `work`; `slot` is for one of them. */
  readonly begin: (slot: Slot, work?: (tx: Transaction) => Promise<void>) => Promise<void>;
  /** Goes on with what a former process has begun. */
  readonly resume: (holdSlot: () => Slot) => Promise<void>;
  /** Ends all of it. A second call changes nothing, except with `isForced`: what has time to end in order loses it. */
  readonly cancel: (isForced?: boolean) => void;
  /** @throws Problem not-ready, approval-not-pending, permission-denied */
  readonly approve: (stepId: string, decision: Decision) => Promise<void>;
  /** Interrupts what has outlived its deadline. False when nothing has. */
  readonly enforceDeadlines: () => boolean;
  /** The wall clock was set by so much: its deadlines move with it. */
  readonly clockSet: (byMs: number) => void;
  /** It waits for a disk to have room for what has ended. */
  readonly isHeldUp: () => boolean;
  /** No process of it is left: it is putting away what they left. */
  readonly isStoring: () => boolean;
  /** Leaves the run to the next start, which goes on with it. Never rejects. */
  readonly detach: () => Promise<void>;
};

export function createRunController(
  source: ControllerSource,
  context: ControllerContext,
  around: Surroundings,
): RunController {
  const driven = createDrivenRun(source, context, around);
  const advance = createAdvance(driven);
  const interruptions = createInterruptions(driven, advance);
  const parts = { driven, advance, interruptions };
  const { runner } = advance;
  const hasEndedAll = () => runner.attempts().every((attempt) => attempt.hasEnded());
  return {
    runId: source.run.run_id,
    finished: driven.finished,
    begin: (slot, work) => begin(parts, slot, work),
    resume: (holdSlot) => resume(parts, holdSlot),
    cancel(isForced = false) {
      interruptions.abort(cancelled);
      if (isForced) runner.hasten();
    },
    approve: (stepId, decision) => approveStep(driven, advance, stepId, decision),
    enforceDeadlines: interruptions.enforceDeadlines,
    clockSet: (byMs) => moveDeadlines(driven, byMs),
    isStoring: () => runner.attempts().length > 0 && hasEndedAll(),
    isHeldUp: () => driven.waitsForDisk() && hasEndedAll(),
    detach: () => detachRun(driven, advance),
  };
}

type Parts = {
  readonly driven: ReturnType<typeof createDrivenRun>;
  readonly advance: ReturnType<typeof createAdvance>;
  readonly interruptions: ReturnType<typeof createInterruptions>;
};

async function begin(
  { driven, advance, interruptions }: Parts,
  slot: Slot,
  work?: (tx: Transaction) => Promise<void>,
): Promise<void> {
  const { state, job } = driven;
  const { clock, owner, worker } = driven.context;
  driven.phase = 'driven';
  const batch = newBatch(slot);
  const atMs = driven.time.now();
  const deadlineAtMs = job.timeouts.runMs === null ? null : clock.now() + job.timeouts.runMs;
  driven.deadlineAtMs = deadlineAtMs;
  advance.carryOut(state.next(false), batch);
  const endsAtOnce = state.isOver;
  try {
    await owner.transact(async (tx) => {
      await work?.(tx);
      const claim = { atMs, owner: owner.id, worker, deadlineAtMs };
      await applyBatch(tx, driven, endsAtOnce ? newBatch() : batch, { kind: 'claim', claim });
    });
  } catch (error) {
    driven.detaching.abort();
    advance.runner.withdraw();
    giveUpBatch(batch);
    throw error;
  }
  driven.epoch += 1;
  batch.spare?.release();
  interruptions.watchSize();
  if (deadlineAtMs !== null) driven.around.noticeDeadline(deadlineAtMs);
  if (endsAtOnce) advance.watch(finishRun(driven, batch));
  // Starting a process holds the event loop for milliseconds: the answer goes out first.
  else setImmediate(() => (driven.phase === 'over' ? giveUpBatch(batch) : carryOn(batch)));
}

async function resume({ driven, advance, interruptions }: Parts, holdSlot: () => Slot): Promise<void> {
  const { run, state } = driven;
  const { store, owner, worker } = driven.context;
  const takeover = { owner: owner.id, worker, epoch: driven.epoch };
  const isTaken = await driven.withRetry(() => owner.transact((tx) => store.runs.take(tx, run.run_id, takeover)));
  if (!isTaken) throw new Superseded('the run is another’s by now');
  driven.epoch += 1;
  for (const instance of state.instances) if (instance.epoch > 0 && !hasEnded(instance)) instance.epoch += 1;
  await driven.runLog.resume();
  const batch = newBatch();
  for (const instance of state.instances) {
    if (instance.status === 'pending' && instance.item !== null) advance.runner.begin(instance, batch);
    else advance.runner.resume(instance, holdSlot);
  }
  driven.phase = 'driven';
  interruptions.watchSize();
  // First of all, so that nothing begins that is to be ended.
  const why = driven.isCancelRequested ? cancelled : runOverdue(driven);
  if (why) interruptions.abort(why, batch);
  else advance.watch(advance.complete(batch));
}
