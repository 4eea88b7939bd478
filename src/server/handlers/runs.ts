// Creates, lists, shows, cancels and repeats runs, decides approvals, and plans runs.

import type { FastifyRequest } from 'fastify';
import type { QueryOf } from '../../contract/operations.ts';
import { assertReached, holdsScope, isStarter, type Principal, reachesJob } from '../../domain/principal.ts';
import type { Approval } from '../../domain/run.ts';
import type { Caller } from '../../engine/create.ts';
import type { Engine } from '../../engine/engine.ts';
import { defined } from '../../lib/defined.ts';
import type { RunReading } from '../../store/reading.ts';
import { withExpectedEnd } from '../answers/expected-end.ts';
import { sendJson, sendStored } from '../answers/stored-answer.ts';
import type { UsualWork } from '../answers/usual-work.ts';
import type { Handlers } from '../exchange.ts';
import { toMs } from './query-values.ts';
import { createRunAnswers, type RunFilter } from './run-answers.ts';
import { callerOf, idempotencyKeyOf, sendCreated } from './starting-runs.ts';

const pageRuns = 100;
const timedRuns = 300;

export function createRunHandlers(o: {
  readonly runs: RunReading;
  readonly engine: Engine;
  readonly usual: UsualWork;
  readonly jobIdOf: (idOrAlias: string) => string;
  readonly starterOf: (request: FastifyRequest) => Caller;
}) {
  const { runs, engine, usual } = o;
  const answers = createRunAnswers(runs, usual);
  const { starterOf } = o;

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
      return { job_id: reachesJob(request.principal, jobId) ? jobId : idOrAlias, ...times };
    },

    async listApprovals({
      request: { principal },
      query: { job_id: jobId, state = 'waiting', tenant, limit = pageRuns },
    }) {
      assertReached(principal, tenant);
      const filter = defined({ tenant, jobId: jobId === undefined ? undefined : o.jobIdOf(jobId) });
      const { approvals, total, isTotalExact } = await runs.approvals({ state, limit, ...filter }, principal);
      return {
        approvals: approvals.map((approval) => toAnswer(approval, principal)),
        total,
        total_exact: isTotalExact,
      };
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

    async listRunChildren({ request, path }) {
      const children = await runs.children(path.run_id, request.principal);
      return { runs: await Promise.all(children.map((run) => withExpectedEnd(run, usual))) };
    },

    listRunNotices: async ({ request, path }) => ({
      notices: await runs.notifications(path.run_id, request.principal),
    }),

    async cancelRun({ request, reply, path, query }) {
      const { status } = await engine.cancel(path.run_id, request.principal, { isForced: query.force ?? false });
      return reply.code(status === 'cancelled' ? 200 : 202).send({ run_id: path.run_id, status });
    },
  } satisfies Partial<Handlers>;
}

function toAnswer(approval: Approval, principal: Principal) {
  const { starter: _, ...shown } = approval;
  return { ...shown, may_answer: mayAnswer(principal, approval) };
}

function mayAnswer(principal: Principal, approval: Approval): boolean {
  const { by, finished_at: finishedAt, not_by_starter: notByStarter } = approval;
  if (finishedAt !== null || !holdsScope(principal, 'runs:approve')) return false;
  if (notByStarter && isStarter(principal, approval)) return false;
  return by === null || by.includes(principal.name);
}

function toFilter(query: QueryOf<'listRuns'>, jobIdOf: (idOrAlias: string) => string): RunFilter {
  const { job_id: jobId, status, label, not_label: notLabel, prefix, since, until, limit = pageRuns, ...rest } = query;
  const { created_by: createdBy, top_level: isTopLevel, ...same } = rest;
  return {
    limit,
    ...defined({
      ...same,
      createdBy,
      isTopLevel: isTopLevel || undefined,
      namespace: prefix,
      ...(status === 'waiting_approval' ? { status: 'running', stepStatus: status } : { status }),
      jobId: jobId === undefined ? undefined : jobIdOf(jobId),
      label: label === undefined ? undefined : toLabel(label),
      notLabel: notLabel === undefined ? undefined : toLabel(notLabel),
      sinceMs: toMs(since),
      untilMs: toMs(until),
    }),
  };
}

function toLabel(text: string): { key: string; value?: string } {
  const at = text.indexOf('=');
  return at < 0 ? { key: text } : { key: text.slice(0, at), value: text.slice(at + 1) };
}
