// Creates, lists, shows, cancels and repeats runs, decides approvals, and plans runs.

import type { FastifyReply } from 'fastify';
import type { QueryOf } from '../../contract/operations.ts';
import { apiBase } from '../../contract/routes.ts';
import { assertReached } from '../../domain/principal.ts';
import { Problem } from '../../domain/problem.ts';
import type { Trigger } from '../../domain/run.ts';
import type { Caller } from '../../engine/create.ts';
import type { Engine } from '../../engine/engine.ts';
import type { Created } from '../../engine/once.ts';
import type { RunReading } from '../../store/reading.ts';
import { defined } from '../answers/defined.ts';
import { sendJson, sendStored } from '../answers/stored-answer.ts';
import type { Exchange, Handlers } from '../exchange.ts';
import type { RateLimiter } from '../limits/rate-limits.ts';
import { toMs } from './query-values.ts';
import { createRunAnswers, type RunFilter } from './run-answers.ts';

const pageRuns = 100;
const timedRuns = 300;

type Names =
  | 'createRun'
  | 'createPlan'
  | 'listRuns'
  | 'getRun'
  | 'cancelRun'
  | 'rerunRun'
  | 'approveRun'
  | 'listRunAttempts'
  | 'listRunChildren'
  | 'getJobTimes'
  | 'listRunNotices';

export function createRunHandlers(o: {
  readonly runs: RunReading;
  readonly engine: Engine;
  readonly jobIdOf: (idOrAlias: string) => string;
  readonly countRun: RateLimiter['countRun'];
}): Pick<Handlers, Names> {
  const { runs, engine } = o;
  const answers = createRunAnswers(runs);

  function starterOf(request: Exchange<Names>['request']): Caller {
    return { ...callerOf(request), countRun: (profile) => o.countRun(request, profile) };
  }

  return {
    async createRun({ request, reply, body }) {
      return sendCreated(reply, await engine.createRun(body, starterOf(request), idempotencyKeyOf(request)));
    },

    createPlan: ({ request, body }) => engine.plan(body, callerOf(request)),

    async listRuns({ request, reply, query }) {
      assertReached(request.principal, query.tenant);
      return sendJson(reply, await answers.list(toFilter(query, o.jobIdOf), request.principal));
    },

    async getJobTimes({ request, query }) {
      const { job_id: idOrAlias, since, limit = timedRuns } = query;
      const jobId = o.jobIdOf(idOrAlias);
      const times = await runs.times({ jobId, sinceMs: toMs(since) ?? 0, limit }, request.principal);
      return { job_id: jobId, ...times };
    },

    getRun: async ({ request, reply, path }) =>
      sendStored(request, reply, await answers.run(path.run_id, request.principal)),

    async rerunRun({ request, reply, path, body }) {
      const key = idempotencyKeyOf(request);
      return sendCreated(reply, await engine.rerun(path.run_id, body, starterOf(request), key));
    },

    async approveRun({ request, path, body }) {
      await engine.approve(path.run_id, body, callerOf(request));
      return { run_id: path.run_id, step_id: body.step_id, decision: body.decision };
    },

    async listRunAttempts({ request, path, query }) {
      const attempts = await runs.attempts(path.run_id, request.principal);
      const { step_id: stepId } = query;
      return { attempts: stepId === undefined ? attempts : attempts.filter((one) => one.step_id === stepId) };
    },

    listRunChildren: async ({ request, path }) => ({ runs: await runs.children(path.run_id, request.principal) }),

    listRunNotices: async ({ request, path }) => ({
      notices: await runs.notifications(path.run_id, request.principal),
    }),

    async cancelRun({ request, reply, path, query }) {
      const { status } = await engine.cancel(path.run_id, request.principal, { isForced: query.force ?? false });
      return reply.code(status === 'cancelled' ? 200 : 202).send({ run_id: path.run_id, status });
    },
  };
}

function sendCreated(reply: FastifyReply, { status, body, runId, replayed }: Created): FastifyReply {
  if (replayed) reply.raw.setHeader('Idempotent-Replay', 'true');
  return sendJson(reply.code(status).header('location', `${apiBase}/runs/${runId}`), body);
}

const clients: readonly Trigger['type'][] = ['cli', 'console', 'mcp'];

function callerOf(request: Exchange<Names>['request']): Caller {
  const client = request.raw.headers['x-flwd-client'];
  const trigger = clients.find((one) => one === client) ?? 'api';
  return { principal: request.principal, trigger, requestId: request.id, from: request.ip };
}

/** @throws Problem malformed-request */
function idempotencyKeyOf(request: Exchange<'createRun' | 'rerunRun'>['request']): string | undefined {
  const key = request.raw.headers['idempotency-key'];
  if (key === undefined) return undefined;
  if (typeof key === 'string' && /^[\x20-\x7e]{1,255}$/.test(key)) return key;
  throw new Problem('malformed-request', 'The header `Idempotency-Key` takes 1 to 255 printable ASCII characters.');
}

function toFilter(query: QueryOf<'listRuns'>, jobIdOf: (idOrAlias: string) => string): RunFilter {
  const { job_id: jobId, status, label, since, until, limit = pageRuns, ...rest } = query;
  return {
    limit,
    ...defined({
      ...rest,
      ...(status === 'waiting_approval' ? { status: 'running', stepStatus: status } : { status }),
      jobId: jobId === undefined ? undefined : jobIdOf(jobId),
      label: label === undefined ? undefined : toLabel(label),
      sinceMs: toMs(since),
      untilMs: toMs(until),
    }),
  };
}

function toLabel(text: string): { key: string; value?: string } {
  const at = text.indexOf('=');
  return at < 0 ? { key: text } : { key: text.slice(0, at), value: text.slice(at + 1) };
}
