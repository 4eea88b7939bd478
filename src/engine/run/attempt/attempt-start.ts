// Starts the process of an attempt, or finds the process that an earlier server started.

import type { CommandAction } from '../../../domain/command-action.ts';
import type { JsonObject } from '../../../domain/job.ts';
import { noResources } from '../../../domain/resources.ts';
import type { Run, RunPlan } from '../../../domain/run.ts';
import { nominalTimeOf } from '../../../domain/schedule.ts';
import { toTraceTexts } from '../../../domain/trigger/trace.ts';
import type { AttemptProcess, AttemptRequest, Executor } from '../../../exec/executor.ts';
import { traceOfAttempt } from '../../../store/run/span-ids.ts';
import { unwritable } from '../../../store/storage-error.ts';
import { whyNoRunStarts } from '../../disk-watch.ts';
import type { RunLog } from '../run-log.ts';

export type AttemptContext = {
  readonly executor: Executor;
  readonly runsDir: string;
  /** The folders of the data dir that runs need. */
  readonly ownFolders: readonly string[];
  readonly snapshotDir: (revision: string) => string;
  /** The server's own files, which no job may see, whatever its profile shows. */
  readonly masked: () => readonly string[];
  readonly passthrough: (plan: RunPlan) => readonly string[];
  /** Keeps track of the attempts whose processes may call this server (ADR 0032). */
  readonly runCallers: {
    readonly enter: (attemptDir: string, hasNetwork: boolean) => void;
    readonly leave: (attemptDir: string) => void;
    readonly lose: (attemptDir: string) => void;
  };
};

export type AttemptStart = {
  readonly run: Pick<Run, 'run_id' | 'job_id' | 'tenant' | 'args' | 'security' | 'trace'> &
    // The check of a trigger has neither, because it is not a run.
    Partial<Pick<Run, 'trigger' | 'labels'>>;
  readonly plan: RunPlan;
  readonly at: { readonly stepId: string; readonly attempt: number };
  readonly action: CommandAction;
  readonly variables: Readonly<Record<string, string>>;
  readonly secrets: ReadonlyMap<string, string>;
  readonly workspaceDir: string;
  readonly attemptDir: string;
  readonly mode: 'launch' | 'resume';
  readonly context: AttemptContext;
  /**
   * The run's log, which may already contain output of an attempt that is resumed. null if the attempt has no log and
   * is never resumed.
   */
  readonly runLog: Pick<RunLog, 'open'> | null;
  /** Repeats the work while the disk refuses it. */
  readonly withRetry: <T>(work: () => T | Promise<T>, onFirstWait?: (error: unknown) => void) => Promise<T>;
};

/** Returns undefined if the attempt was interrupted while the disk had no room for it. */
export function startOrResume(o: AttemptStart, isInterrupted: () => boolean): Promise<AttemptProcess | undefined> {
  const { attemptDir, context, plan } = o;
  const { runCallers } = context;
  // With the profile `disabled`, a job acts as the server's own user and can read `cli.token`.
  if (plan.profile === 'disabled') return start(o, isInterrupted);
  // This comes before the start, because the attempt may call the server at once.
  runCallers.enter(attemptDir, plan.network === 'all');
  const starting = start(o, isInterrupted);
  starting
    .then((attempt) => attempt?.ended)
    .then(
      () => runCallers.leave(attemptDir),
      () => runCallers.lose(attemptDir),
    );
  return starting;
}

async function start(o: AttemptStart, isInterrupted: () => boolean): Promise<AttemptProcess | undefined> {
  const { at, attemptDir, context, plan, withRetry } = o;
  if (o.mode === 'resume') {
    const resumed = await withRetry(() => context.executor.resume(attemptDir));
    if (resumed) return resumed;
    // If some of its output is stored, the attempt had started.
    const log = await o.runLog?.open();
    if (log && log.spoolOffset(at) > 0) return withRetry(() => context.executor.resume(attemptDir, true));
  }
  const spec = toSpec(o);
  return withRetry(() => {
    if (isInterrupted()) return undefined;
    const lack = whyNoRunStarts(context);
    if (lack !== null) throw unwritable(lack);
    return context.executor.launch({ ...spec, masked: showsHost(plan) ? context.masked() : [] });
  });
}

function toSpec(o: AttemptStart): Omit<AttemptRequest, 'masked'> {
  const { run, plan, context } = o;
  return {
    runId: run.run_id,
    jobId: run.job_id,
    ...o.at,
    tenant: run.tenant,
    attemptDir: o.attemptDir,
    workspaceDir: o.workspaceDir,
    snapshotDir: context.snapshotDir(plan.revision),
    job: plan.job,
    action: o.action,
    variables: { ...o.variables, ...scheduledTime(run) },
    trace: toTraceTexts(traceOfAttempt(run, o.at)),
    args: withoutSecrets({ ...run.args, ...plan.resolvedArgs }, plan.job.secretArgs),
    secrets: o.secrets,
    profile: plan.profile,
    network: plan.network,
    isSandboxed: plan.isSandboxed ?? true,
    runAs: plan.runAs ?? null,
    read: plan.read,
    write: plan.write,
    passthrough: context.passthrough(plan),
    resources: plan.resources ?? noResources,
  };
}

function scheduledTime({ trigger, labels = {} }: AttemptStart['run']): Readonly<Record<string, string>> {
  const at = nominalTimeOf(trigger?.type, labels);
  return at === null ? {} : { FLWD_SCHEDULED_AT: at };
}

/**
 * Whether the job sees more of the host than a secure sandbox without grants shows. Only then is there something to
 * mask.
 */
function showsHost({ profile, read, write }: Pick<RunPlan, 'profile' | 'read' | 'write'>): boolean {
  return profile === 'permissive' || read.length > 0 || write.length > 0;
}

function withoutSecrets(args: JsonObject, names: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(args).filter(([name]) => !names.includes(name)));
}
