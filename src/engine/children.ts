// Starts sub-runs, waits for them through the journal, and cancels them with their parent. The transaction that adds a
// sub-run also writes its id into the row of the step. So a step never loses its sub-run or starts a second one.

import { type ExpressionScope, evaluateArguments, fromOf } from '../catalog/expression/expression.ts';
import { ExpressionError } from '../catalog/expression/expression-error.ts';
import type { JsonObject, JsonValue } from '../domain/job.ts';
import { byRequester, runAsRequester } from '../domain/outcome/cancel-request.ts';
import { tighterProfile } from '../domain/policy.ts';
import { Problem } from '../domain/problem.ts';
import { isFinished, type Run } from '../domain/run.ts';
import type { Store } from '../store/open.ts';
import { traceOfAttempt } from '../store/run/span-ids.ts';
import { Superseded } from '../store/superseded.ts';
import type { AddRun } from './add-run.ts';
import { ofCurrentJob } from './current-job.ts';
import type { Hub } from './hub.ts';
import { type PlanContext, resolveEntry } from './plan/ground.ts';
import { assertMayStart, deepestSubRun } from './plan/sub-run-check.ts';
import type { Outcome } from './run/attempt/outcome.ts';
import type { Children } from './run/run-context.ts';
import { redactedTexts } from './run/run-secrets.ts';
import { outputsOfResult } from './run/step-values.ts';

/**
 * How many sub-runs may run at each depth. A step may start 500 sub-runs, and each of them 500 more. A sub-run waits
 * for room only at its own depth, so a parent never takes the room that its own sub-runs need.
 */
const mostAtADepth = 200;

export function createChildren(o: {
  readonly store: Store;
  readonly hub: Hub;
  readonly planContext: PlanContext;
  readonly addRun: AddRun;
  readonly cancel: (runId: string, by: string, isForced?: boolean) => void;
  /** Aborted when the server stops. */
  readonly signal: AbortSignal;
}): Children {
  const { store, hub, signal } = o;
  const started: number[] = [];

  async function add(from: Parameters<Children['start']>[0], depth: number): Promise<string> {
    const { run, plan: parent, at, action } = from;
    const { catalog, policy } = o.planContext;
    const entry = catalog.find(action.jobId);
    const { untrustedSource, storedArgs = {} } = parent;
    assertMayStart({ id: parent.job.id, source: untrustedSource, storedArgs }, entry, action.args);
    const base = entry.definition.securityProfile ?? policy.defaultProfile;
    const request = {
      job_id: action.jobId,
      args: argumentsOfStep(action.args, entry.definition.secretArgs, from),
      tenant: run.tenant,
      // If the caller chose a stricter profile for the parent, it applies to everything that the parent starts.
      security_profile: tighterProfile(parent.profile, base),
    };
    // Texts made from the parent's secrets may reach the sub-run, so they are redacted there too.
    const alsoRedacted = redactedTexts(from.secrets);
    const inherited = { secrets: new Map<string, string>(), alsoRedacted, storedArgs: {} };
    const { runId } = await o.addRun(await resolveEntry(entry, request, o.planContext, inherited), {
      tenant: run.tenant,
      caller: { name: run.created_by, trigger: 'job', requestId: at.runId },
      labels: run.labels,
      priority: run.priority,
      parent: { run_id: at.runId, step_id: at.stepId },
      depth,
      rerunOf: null,
      starter: parent.starter,
      traceParent: traceOfAttempt(run, at),
      secretsBy: parent.secretsBy ?? run.created_by,
      async alongside(tx, id) {
        if (!(await store.steps.nameChild(tx, at, id))) throw new Superseded('another process drives the step now');
        // This raises the version of the run, so that readers notice the change.
        await store.steps.touch(tx, at.runId, {});
      },
    });
    return runId;
  }

  return {
    async start(from) {
      const depth = (from.plan.depth ?? 0) + 1;
      if (depth > deepestSubRun) {
        throw new Problem('job-invalid', `Sub-runs may be nested ${deepestSubRun} deep; this one would be deeper.`);
      }
      const give = (): void => {
        started[depth] = (started[depth] ?? 1) - 1;
      };
      if ((started[depth] ?? 0) >= mostAtADepth) return undefined;
      started[depth] = (started[depth] ?? 0) + 1;
      try {
        const runId = await ofCurrentJob(o.planContext.catalog, () => add(from, depth));
        void untilEnded(runId, { store, hub, signal }).then(give, give);
        return runId;
      } catch (error) {
        give();
        throw error;
      }
    },
    cancel: (runId, parentId, isForced) => o.cancel(runId, runAsRequester(parentId), isForced),
    async end(runId, until) {
      return outcomeOfChild(await untilEnded(runId, { store, hub, signal: until }));
    },
  };
}

/** Waits for the run to end, and returns it. */
async function untilEnded(
  runId: string,
  o: { readonly store: Pick<Store, 'runs'>; readonly hub: Hub; readonly signal: AbortSignal },
): Promise<Run> {
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>();
  const unsubscribe = o.hub.onEvents((entries) => {
    if (entries.some((entry) => entry.type === 'run.finished' && entry.runId === runId)) resolve();
  });
  const stop = (): void => reject(o.signal.reason);
  o.signal.addEventListener('abort', stop, { once: true });
  try {
    const now = await o.store.runs.get(runId);
    if (now && isFinished(now.status)) return now;
    await ended;
    const run = await o.store.runs.get(runId);
    if (!run) throw new Error(`the sub-run ${runId} no longer exists`);
    return run;
  } finally {
    unsubscribe();
    o.signal.removeEventListener('abort', stop);
  }
}

/** @throws Problem validation-error, shown as the reason why the step failed */
function argumentsOfStep(
  args: JsonObject,
  secretArgs: readonly string[],
  { scope, openScope }: Pick<Parameters<Children['start']>[0], 'scope' | 'openScope'>,
): JsonObject {
  const isSecret = (name: string, value: JsonValue): boolean =>
    secretArgs.includes(name) && fromOf(value) !== undefined;
  const [secret, others] = [true, false].map((wanted) =>
    Object.fromEntries(Object.entries(args).filter(([name, value]) => isSecret(name, value) === wanted)),
  );
  const evaluated = evaluate(others ?? {}, (what) => evaluateArguments(what, scope));
  if (Object.keys(secret ?? {}).length === 0) return evaluated;
  return { ...evaluated, ...evaluate(secret ?? {}, (what) => evaluateSecrets(what, openScope())) };
}

/** The error does not say what is wrong with a value, because the message could repeat a secret. */
function evaluateSecrets(args: JsonObject, scope: ExpressionScope): JsonObject {
  const values = Object.entries(args).map(([name, value]) => {
    try {
      return [name, evaluateArguments({ [name]: value }, scope)[name] ?? null] as const;
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      throw new ExpressionError(`\`${name}\`: the expression has no value here`);
    }
  });
  return Object.fromEntries(values);
}

function evaluate(args: JsonObject, work: (args: JsonObject) => JsonObject): JsonObject {
  try {
    return work(args);
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    throw new Problem('validation-error', `\`args\`: ${error.message}`);
  }
}

function outcomeOfChild(run: Run): Outcome {
  const outputs = run.status === 'success' ? outputsOfResult(run.result) : {};
  const given = { exitCode: run.exit_code, result: null, outputs, openOutputs: outputs, termination: null };
  if (run.status === 'success') return { ...given, status: 'success', reason: null, message: null };
  const what =
    run.status === 'cancelled' ? `was cancelled${byRequester(run)}` : `failed: ${run.error?.message ?? run.reason}`;
  const message = `${run.run_id} of ${run.job_id} ${what}`;
  const hint = run.error?.hint;
  return {
    ...given,
    status: 'failed',
    reason: run.reason ?? 'upstream_failed',
    message,
    ...(hint !== undefined && { hint }),
  };
}
