// Runs: create, list, read, cancel, and plans of them.

import type { FastifyReply } from 'fastify';
import { LRUCache } from 'lru-cache';
import type { QueryOf } from '../../contract/operations.ts';
import { apiBase } from '../../contract/routes.ts';
import { assertReached, type Reach, reaches } from '../../domain/principal.ts';
import { Problem } from '../../domain/problem.ts';
import type { Trigger } from '../../domain/run.ts';
import type { Caller } from '../../engine/create.ts';
import type { Engine } from '../../engine/engine.ts';
import type { Created } from '../../engine/once.ts';
import { parseTimestampUs } from '../../lib/clock.ts';
import type { RunReading } from '../../store/reading.ts';
import { defined } from '../answers/defined.ts';
import { type StoredAnswer, sendJson, sendStored } from '../answers/stored-answer.ts';
import type { Exchange, Handlers } from '../exchange.ts';
import type { RateLimiter } from '../limits/rate-limits.ts';

const pageRuns = 100;
const cachedChars = 8 * 1024 * 1024;

/** Answers as they were sent, current while the generation is that of the database (ADR 0025). */
type KnownRun = {
  readonly generation: string | number;
  readonly tenant: string;
  readonly answer: StoredAnswer;
  readonly version: number;
};
type KnownPage = { readonly generation: string | number; readonly text: string };

type Names =
  | 'createRun'
  | 'createPlan'
  | 'listRuns'
  | 'getRun'
  | 'cancelRun'
  | 'rerunRun'
  | 'approveRun'
  | 'listRunAttempts'
  | 'listRunNotices';

export function createRunHandlers(o: {
  readonly runs: RunReading;
  readonly engine: Engine;
  /** The id behind a job's id or alias. */
  readonly jobIdOf: (idOrAlias: string) => string;
  readonly countRun: RateLimiter['countRun'];
}): Pick<Handlers, Names> {
  const { runs, engine } = o;
  const answers = new LRUCache<string, KnownRun>({ maxSize: cachedChars });
  const pages = new LRUCache<string, KnownPage>({ maxSize: cachedChars });

  function starterOf(request: Exchange<Names>['request']): Caller {
    return { ...callerOf(request), countRun: (profile) => o.countRun(request, profile) };
  }

  async function readRun(id: string, reach: Reach, known: KnownRun | undefined): Promise<StoredAnswer> {
    // Before reading: what is committed meanwhile makes this entry old, never wrong.
    const generation = await runs.generation();
    const { version, tenant } = await runs.version(id, reach);
    const isSame = known?.version === version;
    const answer = isSame ? known.answer : { text: JSON.stringify(await runs.get(id, reach)), etag: `"${version}"` };
    answers.set(id, { generation, tenant, answer, version }, { size: answer.text.length });
    return answer;
  }

  async function readPage(key: string, filter: RunFilter, reach: Reach): Promise<string> {
    const generation = await runs.generation();
    const { runs: listed, total, nextCursor } = await runs.list(filter, reach);
    const text = JSON.stringify({ runs: listed, total, next_cursor: nextCursor });
    pages.set(key, { generation, text }, { size: key.length + text.length });
    return text;
  }

  return {
    async createRun({ request, reply, body }) {
      return sendCreated(reply, await engine.createRun(body, starterOf(request), idempotencyKeyOf(request)));
    },

    createPlan: ({ request, body }) => engine.plan(body, callerOf(request)),

    async listRuns({ request, reply, query }) {
      assertReached(request.principal, query.tenant);
      const filter = toFilter(query, o.jobIdOf);
      // What is listed depends on the question and on the tenant of whoever asks, and on nothing else of them.
      const key = JSON.stringify([request.principal.tenant, filter]);
      const known = pages.get(key);
      if (known && known.generation === (await runs.generation())) return sendJson(reply, known.text);
      return sendJson(reply, await readPage(key, filter, request.principal));
    },

    async getRun({ request, reply, path }) {
      const { principal } = request;
      const known = answers.get(path.run_id);
      // For others it is as if it were not there, also in the time that takes: they are answered by the database.
      const own = known && reaches(principal, known.tenant) ? known : undefined;
      if (own && own.generation === (await runs.generation())) return sendStored(request, reply, own.answer);
      return sendStored(request, reply, await readRun(path.run_id, principal, own));
    },

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

type RunFilter = Parameters<RunReading['list']>[0];

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

/** Rounded up: `since` is inclusive and `until` is not, and runs are created on whole milliseconds. */
function toMs(time: string | undefined): number | undefined {
  const us = time === undefined ? undefined : parseTimestampUs(time);
  return us === undefined ? undefined : Math.ceil(us / 1000);
}
