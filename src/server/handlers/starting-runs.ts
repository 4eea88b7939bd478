// What all operations that start runs have in common: who starts the run, how the server recognises a repeated request,
// and the answer.

import type { FastifyReply, FastifyRequest } from 'fastify';
import { apiBase } from '../../contract/routes.ts';
import { Problem } from '../../domain/problem.ts';
import type { Trigger } from '../../domain/run.ts';
import { readTraceParent, type TraceParent } from '../../domain/trigger/trace.ts';
import type { Caller } from '../../engine/create.ts';
import type { Created } from '../../engine/once.ts';
import { sendJson } from '../answers/stored-answer.ts';

export function sendCreated(reply: FastifyReply, { status, body, runId, replayed }: Created): FastifyReply {
  if (replayed) reply.raw.setHeader('Idempotent-Replay', 'true');
  return sendJson(reply.code(status).header('location', `${apiBase}/runs/${runId}`), body);
}

const clients: readonly Trigger['type'][] = ['cli', 'console', 'mcp'];

export function callerOf(request: FastifyRequest): Caller {
  const client = request.raw.headers['x-flwd-client'];
  const trigger = clients.find((one) => one === client) ?? 'api';
  return {
    principal: request.principal,
    trigger,
    requestId: request.id,
    from: request.ip,
    traceParent: traceParentOf(request),
  };
}

/**
 * Reads the trace of the caller. Node joins headers that occur twice: two `traceparent` headers are then invalid, and
 * two `tracestate` headers are one list.
 */
export function traceParentOf({ raw }: FastifyRequest): TraceParent | undefined {
  return readTraceParent(raw.headers.traceparent, raw.headers.tracestate);
}

/** @throws Problem malformed-request */
export function idempotencyKeyOf(request: FastifyRequest): string | undefined {
  const key = request.raw.headers['idempotency-key'];
  if (key === undefined) return undefined;
  if (typeof key === 'string' && /^[\x20-\x7e]{1,255}$/.test(key)) return key;
  throw new Problem('malformed-request', 'The header `Idempotency-Key` takes 1 to 255 printable ASCII characters.');
}
