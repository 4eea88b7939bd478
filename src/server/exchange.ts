// What a handler gets and what it may answer, by operation id. A missing handler is a compile error.

import type { FastifyReply, FastifyRequest } from 'fastify';
import type { AnswerOf, BodyOf, OperationId, PathOf, QueryOf } from '../contract/operations.ts';
import type { Principal } from '../domain/principal.ts';
import type { Frozen } from '../lib/frozen.ts';
import type { RecordChange } from '../store/audit/audit.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks; known once the request was admitted. */
    principal: Principal;
  }
}

/** A request as the router hands it over: nothing of it is checked yet. */
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
  /** For the audit log; where the handler does not call it, what was done is entered before the answer goes out. */
  readonly record: RecordChange;
};

/** The reply, once it is sent or taken over; or the JSON of a 200. */
type Result<Id extends OperationId> = FastifyReply | Frozen<AnswerOf<Id>>;

export type Handlers = {
  readonly [Id in OperationId]: (exchange: Exchange<Id>) => Result<Id> | Promise<Result<Id>>;
};
