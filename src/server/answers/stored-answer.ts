// JSON that is serialized once and sent many times, with an ETag. A caller that already has it gets 304 (RFC 9110,
// 13.1.2).

import { createHash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { revalidated } from './response-headers.ts';

export type StoredAnswer = { readonly text: string; readonly etag: string };

export function toStoredAnswer(answer: unknown): StoredAnswer {
  const text = JSON.stringify(answer);
  return { text, etag: `"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"` };
}

export function sendStored(request: FastifyRequest, reply: FastifyReply, { text, etag }: StoredAnswer): FastifyReply {
  reply.header('etag', etag).header('cache-control', revalidated);
  if (isUnchanged(request, etag)) return reply.code(304).send();
  return sendJson(reply, text);
}

export function sendJson(reply: FastifyReply, text: string): FastifyReply {
  return reply.type('application/json; charset=utf-8').send(text);
}

/** Whether `If-None-Match` names this ETag. */
export function isUnchanged(request: FastifyRequest, etag: string): boolean {
  const given = request.raw.headers['if-none-match'];
  if (given === undefined) return false;
  return given.trim() === '*' || given.split(',').some((one) => one.trim().replace(/^W\//, '') === etag);
}
