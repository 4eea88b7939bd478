// Runs the script of a check as its job would run it, but not as a run: it waits in no queue, has no log, and leaves
// nothing behind (ADR 0075).

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { JsonValue } from '../../domain/job.ts';
import { Problem } from '../../domain/problem.ts';
import { noResources } from '../../domain/resources.ts';
import type { AttemptEnd, AttemptProcess } from '../../exec/executor.ts';
import { serveKvRequests } from '../../exec/kv/kv-requests.ts';
import { createRedactor, type Redactor } from '../../exec/redact/redact.ts';
import { followSpool } from '../../exec/spool/spool.ts';
import { createSpoolLines } from '../../exec/spool/spool-lines.ts';
import { createId } from '../../lib/ids.ts';
import { ownTrace } from '../../store/run/span-ids.ts';
import { assertCurrent, ofCurrentJob } from '../current-job.ts';
import type { GroundedPlan } from '../plan/ground.ts';
import { startOrResume } from '../run/attempt/attempt-start.ts';
import { createErrorTail } from '../run/attempt/error-tail.ts';
import { outcomeOf, readBack } from '../run/attempt/outcome.ts';
import { readErrorLines } from '../run/failure/error-lines.ts';
import { removeRunFolder } from '../run/run-folders.ts';
import { answerKv } from '../run/run-kv.ts';
import { planWithoutArguments, reasonOf } from './plan-without-arguments.ts';
import type { CheckTriggerOfJob, TriggerParts } from './trigger-parts.ts';

export type Check =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'found'; readonly result: JsonValue }
  /** `why` has no full stop at its end. */
  | { readonly kind: 'failed'; readonly why: string }
  /** The signal was aborted, or the job no longer has the trigger. */
  | { readonly kind: 'stopped' };

/** The exit code of a check that has found nothing. */
const nothingToDo = 75;
/** A check may take as long as the time between two checks, within these limits. */
const leastMs = 10_000;
const mostMs = 300_000;
/** The longest grace period of a check while the server stops. The server has five seconds to stop everything. */
const stoppingGraceMs = 1_000;
const folderPrefix = 'check_';
const at = { stepId: 'check', attempt: 1 };

export async function runCheck(trigger: CheckTriggerOfJob, o: TriggerParts, signal: AbortSignal): Promise<Check> {
  try {
    const planned = await ofCurrentJob(o.catalog, () => planCheck(trigger, o));
    if (!planned) return { kind: 'stopped' };
    const { denied } = planned.plan;
    if (denied) return { kind: 'failed', why: withoutStop(denied.message) };
    return await execute(trigger, planned, o, signal);
  } catch (error) {
    if (error instanceof Problem) return { kind: 'failed', why: withoutStop(reasonOf(error)) };
    throw error;
  }
}

function withoutStop(sentence: string): string {
  return sentence.replace(/\.$/, '');
}

type Planned = { readonly plan: GroundedPlan; readonly revision: string };

/** Returns undefined if the job no longer has the trigger. @throws JobChanged */
async function planCheck({ id, jobId }: CheckTriggerOfJob, o: TriggerParts): Promise<Planned | undefined> {
  const entry = o.catalog.find(jobId);
  if (!entry.definition.triggers.some((trigger) => trigger.id === id)) return undefined;
  const plan = await planWithoutArguments(entry, o);
  const snapshot = await o.snapshots.take(entry);
  assertCurrent(entry, snapshot);
  return { plan, revision: snapshot.revision };
}

async function execute(
  trigger: CheckTriggerOfJob,
  planned: Planned,
  o: TriggerParts,
  signal: AbortSignal,
): Promise<Check> {
  const id = createId('check', o.clock.now());
  const dir = join(o.execution.runsDir, id);
  const redactor = createRedactor(planned.plan.secrets.values());
  try {
    const attempt = await launch(trigger, { id, dir, ...planned }, o);
    if (!attempt) return { kind: 'stopped' };
    return await untilCheckEnds(trigger, { id, dir, attempt, redactor, ...planned }, o, signal);
  } finally {
    await removeRunFolder(dir, o.log);
  }
}

type Place = Planned & { readonly id: string; readonly dir: string };

function launch(trigger: CheckTriggerOfJob, { id, dir, plan, revision }: Place, o: TriggerParts) {
  const { profile, network, isSandboxed, runAs, resources, read, write, kv } = plan;
  const security = { profile, isolation: plan.isolation };
  return startOrResume(
    {
      run: { run_id: id, job_id: trigger.jobId, tenant: o.defaultTenant, args: {}, security, trace: ownTrace(id) },
      plan: {
        job: plan.entry.definition,
        revision,
        profile,
        network,
        isSandboxed,
        runAs,
        resources,
        read,
        write,
        kv,
        resolvedArgs: {},
      },
      at,
      action: trigger.action,
      variables: {},
      secrets: plan.secrets,
      workspaceDir: join(dir, 'workspace'),
      attemptDir: join(dir, '1-1'),
      mode: 'launch',
      context: o.execution,
      runLog: null,
      withRetry: async (work) => work(),
    },
    () => false,
  );
}

type Started = Place & { readonly attempt: AttemptProcess; readonly redactor: Redactor };

/** Waits for the check to end. Ends it when its time is over or the server stops. */
async function untilCheckEnds(trigger: CheckTriggerOfJob, started: Started, o: TriggerParts, signal: AbortSignal) {
  const { attempt, redactor, dir, plan } = started;
  const { cancel } = plan.entry.definition;
  const output = followErrors(attempt, redactor);
  const requests = serveKv(started, o, signal);
  let interruption: 'timeout' | 'stopped' | undefined;
  function interrupt(why: NonNullable<typeof interruption>, graceMs: number): void {
    interruption ??= why;
    void attempt.terminate({ signal: cancel.signal, graceMs });
  }
  const stop = (): void => interrupt('stopped', Math.min(cancel.graceMs, stoppingGraceMs));
  const limitMs = Math.min(Math.max(trigger.everyMs, leastMs), mostMs);
  const timer = setTimeout(() => interrupt('timeout', cancel.graceMs), limitMs);
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    const end = await attempt.ended;
    const lines = await output.end();
    if (interruption === 'stopped') return { kind: 'stopped' } as const;
    if (interruption === 'timeout') return { kind: 'failed', why: `it took longer than ${limitMs / 1000} s` } as const;
    return conclude(end, { attemptDir: join(dir, '1-1'), lines, redactor, plan, o });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
    requests.close();
  }
}

function conclude(
  end: AttemptEnd,
  found: {
    readonly attemptDir: string;
    readonly lines: readonly string[];
    readonly redactor: Redactor;
    readonly plan: GroundedPlan;
    readonly o: TriggerParts;
  },
): Check {
  const { attemptDir, lines, redactor, plan, o } = found;
  if (end.kind === 'exited' && end.code === nothingToDo) return { kind: 'nothing' };
  if (end.kind === 'not-started' && end.cause) o.log.error({ err: end.cause }, 'a check could not be started');
  const outcome = outcomeOf(end, readBack(attemptDir, redactor), {
    interruption: undefined,
    lines: readErrorLines(lines),
    redactor,
    resources: plan.resources ?? noResources,
    termination: null,
  });
  if (outcome.status === 'success') return { kind: 'found', result: outcome.result?.value ?? null };
  return { kind: 'failed', why: outcome.message ?? 'it gave no reason' };
}

/** Reads what the check prints, and keeps only its last errors. */
function followErrors({ spoolPath }: AttemptProcess, redactor: Redactor) {
  const errors = createErrorTail(redactor);
  const lines = createSpoolLines(redactor);
  const spool = followSpool({
    path: spoolPath,
    offset: 0,
    onBytes(bytes, endOffset) {
      errors.add(lines.push(bytes));
      spool.discard(endOffset);
    },
  });
  return {
    /** Resolves with the last errors of the check, oldest first. */
    async end(): Promise<readonly string[]> {
      await spool.drain();
      errors.add(lines.flush());
      spool.close();
      return errors.lines();
    },
  };
}

function serveKv({ id, dir, plan, redactor }: Started, o: TriggerParts, signal: AbortSignal) {
  const caller = {
    plan,
    redactor,
    job: plan.entry.definition,
    run: { run_id: id, tenant: o.defaultTenant },
    context: { kv: o.kv },
    log: o.log,
    detaching: { signal },
    withRetry: async <T>(work: () => T | Promise<T>): Promise<T> => work(),
  };
  return serveKvRequests({
    attemptDir: join(dir, '1-1'),
    answer: (request) => answerKv(caller, at, request),
    onOverfull: () => undefined,
    onError: (err) => o.log.error({ err }, 'requests of a check to the key-value store could not be answered'),
  });
}

/** The names of the folders of checks that an earlier server left. */
export async function leftChecks(runsDir: string): Promise<string[]> {
  const entries = await readdir(runsDir, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory() && entry.name.startsWith(folderPrefix)).map(({ name }) => name);
}

/** Ends the checks that an earlier server has left: nobody waits for what they find. Never rejects. */
export async function endLeftChecks({ execution, log }: TriggerParts): Promise<void> {
  const { runsDir, executor } = execution;
  for (const name of await leftChecks(runsDir)) {
    const dir = join(runsDir, name);
    try {
      const attempt = executor.resume(join(dir, '1-1'));
      await attempt?.terminate({ signal: 'KILL', graceMs: 0 });
      await removeRunFolder(dir, log);
    } catch (error) {
      log.error({ err: error }, 'a check that an earlier server left could not be ended');
    }
  }
}
