// Carries out the requests of a run's scripts to the key-value store. A job may use the namespace of its own id, and
// the namespaces that it was granted (`permissions.kv`).

import { noKvPermissions } from '../../domain/kv.ts';
import { Problem } from '../../domain/problem.ts';
import type { KvAnswer, KvRequest } from '../../exec/kv/kv-request.ts';
import { isStorageError } from '../../store/storage-error.ts';
import type { DrivenRun } from './driven-run.ts';

/** The run, or the check of a trigger, whose scripts send requests. */
export type KvCaller = Pick<DrivenRun, 'log' | 'redactor' | 'withRetry'> & {
  readonly job: Pick<DrivenRun['job'], 'id'>;
  readonly plan: Pick<DrivenRun['plan'], 'kv'>;
  readonly run: Pick<DrivenRun['run'], 'run_id' | 'tenant'>;
  readonly context: Pick<DrivenRun['context'], 'kv'>;
  readonly detaching: { readonly signal: AbortSignal };
};

/** Waits while the disk refuses a write. Rejects only when the run is detached. */
export async function answerKv(
  driven: KvCaller,
  at: { readonly stepId: string; readonly attempt: number },
  request: KvRequest,
): Promise<KvAnswer> {
  const { job, log } = driven;
  const namespace = request.namespace ?? job.id;
  const refusal = whyRefused(driven, namespace, request);
  if (refusal !== undefined) return { kind: 'error', message: refusal };
  try {
    return await driven.withRetry(() => carryOut(driven, at, namespace, request));
  } catch (error) {
    if (error instanceof Problem && !isStorageError(error)) return toAnswer(error, request);
    if (driven.detaching.signal.aborted) throw error;
    log.error({ step_id: at.stepId, err: error }, 'a request to the key-value store failed');
    return { kind: 'error', message: 'an internal error; the server log says more' };
  }
}

/** @throws Problem */
async function carryOut(
  { run, context }: KvCaller,
  { stepId, attempt }: { readonly stepId: string; readonly attempt: number },
  namespace: string,
  request: KvRequest,
): Promise<KvAnswer> {
  const { id, key } = request;
  const place = { tenant: run.tenant, namespace, key };
  if (request.kind === 'get') {
    const { value, version } = await context.kv.get(place);
    return { kind: 'done', value, version };
  }
  if (request.kind === 'delete') {
    await context.kv.remove(place);
    return { kind: 'done' };
  }
  const { kind: _, namespace: __, ...set } = request;
  const by = run.run_id;
  const { entry } = await context.kv.set({ ...set, ...place, by, request: `${by} ${stepId} ${attempt} ${id}` });
  return { kind: 'done', version: entry.version };
}

/** Deleting a key that does not exist succeeds: after a crash, the same request may come a second time. */
function toAnswer(problem: Problem, request: KvRequest): KvAnswer {
  const { slug, message, members } = problem;
  if (slug === 'kv-key-not-found') return request.kind === 'delete' ? { kind: 'done' } : { kind: 'missing' };
  return { kind: 'error', message: Array.isArray(members.errors) ? errorsText(members.errors) : message };
}

function errorsText(errors: readonly { readonly pointer: string; readonly message: string }[]): string {
  return errors.map(({ pointer, message }) => [names[pointer], message].filter(Boolean).join(' ')).join('; ');
}

const names: Readonly<Record<string, string>> = { '/value': 'the value', '/ttl': '--ttl' };

function whyRefused({ plan, job, redactor }: KvCaller, namespace: string, request: KvRequest): string | undefined {
  const { read, write } = plan.kv ?? noKvPermissions;
  const isOwn = namespace === job.id;
  if (request.kind === 'get' && !isOwn && !read.includes(namespace) && !write.includes(namespace))
    return `this job may not read the namespace '${namespace}': list it in permissions.kv.read of its config.yaml`;
  if (request.kind !== 'get' && !isOwn && !write.includes(namespace))
    return `this job may not write to the namespace '${namespace}': list it in permissions.kv.write of its config.yaml`;
  if (request.kind !== 'set') return undefined;
  const { key, value } = request;
  if (redactor.text(key) !== key) return 'the key contains a secret of the run; nothing was stored';
  if (redactor.bytes(value) !== value) return 'the value contains a secret of the run; nothing was stored';
  return undefined;
}
