// The types of the handlers: what each handler gets, and what it may answer. A missing handler is a compile error.

import type { FastifyReply, FastifyRequest } from 'fastify';
import type { AnswerOf, BodyOf, OperationId, PathOf, QueryOf } from '../contract/operations.ts';
import type { Principal } from '../domain/principal.ts';
import type { Webhook } from '../engine/webhook/webhook-parts.ts';
import type { Frozen } from '../lib/frozen.ts';
import type { RecordChange } from '../store/audit/audit.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** The caller; known once the request has been admitted. */
    principal: Principal;
    /** The webhook that a delivery is for; undefined for other requests. */
    webhook: Pick<Webhook, 'id' | 'jobId' | 'name' | 'tenant'> | undefined;
  }
}

/** A request as it comes from the router, before validation. */
export type Incoming = FastifyRequest<{
  Params: Readonly<Record<string, string>>;
  Querystring: Readonly<Record<string, string | string[]>>;
}>;

export type Exchange<Id extends OperationId> = {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly path: PathOf<Id>;
  readonly query: QueryOf<Id>;
  readonly body: BodyOf<Id>;
  /**
   * Writes the audit entry in the transaction of a change. If the handler does not call this, the entry is written
   * before the answer is sent.
   */
  readonly record: RecordChange;
};

/** The reply, if the handler sends the answer itself. Otherwise the body of a 200, which is sent as JSON. */
type Result<Id extends OperationId> = FastifyReply | Frozen<AnswerOf<Id>>;

export type Handlers = {
  readonly [Id in OperationId]: (exchange: Exchange<Id>) => Result<Id> | Promise<Result<Id>>;
};
