// Reads the id after which a stream resumes. A reconnecting EventSource sends it in a header. A first request may have
// it as a query parameter.

import type { FastifyRequest } from 'fastify';
import { Problem, validationError } from '../../domain/problem.ts';

/** @throws Problem malformed-request, validation-error */
export function lastEventId(request: FastifyRequest, parameter: string | undefined): number | undefined {
  const header = request.raw.headers['last-event-id'];
  if (typeof header === 'string' && header !== '') {
    const id = toId(header);
    if (id === undefined) throw new Problem('malformed-request', 'The header `Last-Event-ID` is not a number.');
    return id;
  }
  if (parameter === undefined) return undefined;
  const id = toId(parameter);
  if (id !== undefined) return id;
  throw validationError([{ pointer: '?last_event_id', message: 'is not a number', keyword: 'type' }]);
}

function toId(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
