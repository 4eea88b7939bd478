// Records requests in the audit log. An operation that changes something is answered only when its entry is durable.
// Refused requests are recorded by src/engine/refusals.ts, at a limited rate. Runs are recorded by the engine itself
// (ADR 0018).

import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Operation, type OperationAudit, operations } from '../contract/operations.ts';
import { parseCredential } from '../domain/access/api-token.ts';
import {
  type AuditAction,
  type AuditDetail,
  type AuditObject,
  type AuditObjectKind,
  type NewAuditEntry,
  toAuditText,
} from '../domain/audit.ts';
import { Problem } from '../domain/problem.ts';
import type { Refusals } from '../engine/refusals.ts';
import type { Logger } from '../lib/logger.ts';
import { retryShortage } from '../lib/shortage.ts';
import type { RecordChange } from '../store/audit/audit.ts';
import type { Store } from '../store/open.ts';
import { isStorageError } from '../store/storage-error.ts';

/** Finds the tenant of an object by its id; undefined if the object does not exist. */
export type TenantOf = Readonly<Partial<Record<AuditObjectKind, (id: string) => Promise<string | undefined>>>>;

export type AuditTrail = {
  /** The hooks of a route whose operation changes something. */
  readonly hooksOf: (operation: Operation) => {
    readonly preHandler?: (request: FastifyRequest) => Promise<void>;
    readonly onSend?: (request: FastifyRequest, reply: FastifyReply, payload: unknown) => Promise<unknown>;
  };
  /** Returns the function with which a handler writes the entry in the transaction of its change. */
  readonly recorderOf: (operation: Operation, request: FastifyRequest) => RecordChange;
  /** Records the problem that refused or ended a request. */
  readonly note: (problem: Problem, request: FastifyRequest) => void;
  /** Gives up the entries that could not be written so far. */
  readonly close: () => void;
};

const longestMemberChars = 512;

export function createAuditTrail(o: {
  readonly store: Pick<Store, 'audit' | 'db'>;
  readonly refusals: Refusals;
  readonly tenantOf: TenantOf;
  readonly log: Logger;
}): AuditTrail {
  const { store, refusals } = o;
  const writer = createEntryWriter(o);
  const tenants = new WeakMap<FastifyRequest, string>();
  /** Requests whose entry the handler has written, in the transaction of its change. */
  const recorded = new WeakSet<FastifyRequest>();
  /** Requests whose entry has been written before the answer. */
  const written = new WeakSet<FastifyRequest>();

  return {
    hooksOf({ audit }) {
      // The engine writes the entry of a run in the transaction that adds the run.
      if (!audit || audit.action === 'run.create') return {};
      return {
        async preHandler(request) {
          const failure = store.db.failure();
          // Garbage collection is still allowed, because it can make room on a full disk.
          if (failure !== null && audit.action !== 'gc') {
            throw new Problem('not-ready', `The audit log cannot be written, so nothing was done: ${failure}.`);
          }
          // The tenant is looked up before the handler runs, because a deleted object no longer has one.
          const id = idInPath(request);
          const tenant = id === null ? undefined : await o.tenantOf[audit.object]?.(id);
          if (tenant !== undefined) tenants.set(request, tenant);
        },
        async onSend(request, reply, payload) {
          if (reply.statusCode >= 400 || recorded.has(request) || written.has(request)) return payload;
          if (changesNothing(request, audit)) return payload;
          written.add(request);
          const answer = membersOf(payload);
          const tenant = answer.tenant ?? tenants.get(request) ?? (request.principal.tenant || '*');
          await writer.write(doneBy(request, audit, { id: idInPath(request) ?? answer.id ?? null, tenant }));
          return payload;
        },
      };
    },

    recorderOf({ audit }, request) {
      if (!audit || audit.action === 'run.create') return () => undefined;
      return (tx, object) => {
        tx.record(doneBy(request, audit, object));
        recorded.add(request);
      };
    },

    note(problem, request) {
      // 503 means that nobody looked at the request, or that the audit log itself fails.
      if (refusals.knows(problem) || written.has(request) || problem.status === 503) return;
      const entry = refusalOf(problem, request);
      if (entry) refusals.add(entry, problem);
    },

    close: writer.close,
  };
}

function createEntryWriter({ store, log }: { readonly store: Pick<Store, 'audit'>; readonly log: Logger }) {
  const closing = new AbortController();
  return {
    /**
     * @throws Problem not-ready. Then the entry is in the server's log, and flwd tries to write it until it succeeds.
     */
    async write(entry: NewAuditEntry): Promise<void> {
      try {
        await store.audit.record(entry);
      } catch (error) {
        log.error({ err: error, audit: entry }, 'an entry could not be written to the audit log; flwd tries again');
        void retryShortage(() => store.audit.record(entry), {
          isPassing: isStorageError,
          signal: closing.signal,
        }).catch((reason: unknown) =>
          log.error({ err: reason, audit: entry }, 'an entry is missing from the audit log'),
        );
        throw new Problem(
          'not-ready',
          'The request was carried out, but its audit entry could not be stored. The server tries again; until then, its log has the entry.',
        );
      }
    },
    close: () => closing.abort(),
  };
}

/** Returns undefined if the audit log does not record this kind of refusal. */
function refusalOf(problem: Problem, request: FastifyRequest): NewAuditEntry | undefined {
  const operation = operationOf(request);
  const action = actionOf(problem, request, operation?.audit);
  if (!action) return undefined;
  const { webhook } = request;
  const credential = request.raw.headers.authorization;
  const tokenId = credential && parseCredential(credential.replace(/^Bearer +/i, ''))?.id;
  return {
    ...about(request),
    tenant: request.principal?.tenant || (webhook?.tenant ?? '*'),
    action,
    object: objectOf(request, operation?.audit),
    result: problem.status >= 500 ? 'failed' : 'refused',
    reason: problem.slug,
    detail: {
      operation: request.routeOptions.config.operation ?? null,
      message: toAuditText(messageOf(problem)),
      ...jobOf(request, operation?.audit),
      ...(webhook && { webhook: `${webhook.jobId}/${webhook.name}` }),
      ...(action === 'auth.fail' && tokenId && { token_id: tokenId }),
    },
  };
}

/**
 * The message of the problem. The name of an unknown member is left out, because it may be a secret in the wrong place.
 */
function messageOf({ message, members }: Problem): string {
  const [first]: readonly unknown[] = Array.isArray(members.errors) ? members.errors : [];
  const { pointer, keyword }: { readonly pointer?: unknown; readonly keyword?: unknown } = asObject(first);
  if (typeof pointer !== 'string' || !isOfUnknownName.has(keyword)) return message;
  const more = / \(and \d+ more\)$/.exec(message)?.[0] ?? '';
  return `${pointer.slice(0, pointer.lastIndexOf('/')) || '/'}: has a member that is not known${more}`;
}

const isOfUnknownName: ReadonlySet<unknown> = new Set([
  'additionalProperties',
  'unevaluatedProperties',
  'propertyNames',
]);

function objectOf(request: FastifyRequest, audit: OperationAudit | null | undefined): AuditObject | null {
  if (request.webhook) return { kind: 'webhook', id: request.webhook.id };
  return audit ? { kind: audit.object, id: idInPath(request) } : null;
}

function doneBy(
  request: FastifyRequest,
  audit: OperationAudit,
  { id, tenant }: { readonly id: string | null; readonly tenant: string },
): NewAuditEntry {
  return {
    ...about(request),
    tenant,
    action: audit.action,
    object: { kind: audit.object, id },
    result: 'done',
    reason: null,
    detail: keptOf(request, audit),
  };
}

/** Returns undefined for a refusal that does not interest an auditor, and for refusals that are too frequent. */
function actionOf(
  { slug }: Problem,
  request: FastifyRequest,
  audit: OperationAudit | null | undefined,
): AuditAction | undefined {
  const isKnown = request.principal !== undefined && request.principal.kind !== 'anonymous';
  if (slug === 'unauthenticated' || slug === 'signature-invalid' || (slug === 'rate-limited' && !isKnown))
    return 'auth.fail';
  if (slug === 'rate-limited') return undefined;
  // The attempt of a known caller is recorded under the action that the caller tried, if the request has an action.
  if (slug === 'permission-denied' && (!audit || !isKnown)) return 'access.deny';
  return isKnown ? audit?.action : undefined;
}

function about({ principal, ip, id }: FastifyRequest): Pick<NewAuditEntry, 'actor' | 'from' | 'requestId'> {
  return { actor: principal?.name ?? 'anonymous', from: ip, requestId: id };
}

function operationOf(request: FastifyRequest): Operation | undefined {
  const { operation } = request.routeOptions.config;
  const all: Readonly<Record<string, Operation>> = operations;
  return operation !== undefined && Object.hasOwn(all, operation) ? all[operation] : undefined;
}

function changesNothing({ query }: FastifyRequest, { unless }: OperationAudit): boolean {
  const members: Record<string, unknown> = { ...asObject(query) };
  return unless !== undefined && members[unless] === 'true';
}

/** The first parameter of the path, such as `run_id` of `/runs/{run_id}/cancel`. */
function idInPath({ params }: FastifyRequest): AuditObject['id'] {
  const [id] = typeof params === 'object' && params !== null ? Object.values(params) : [];
  return typeof id === 'string' ? toAuditText(id) : null;
}

/** Reads only the id and the tenant, because the answer of `createToken` contains the token itself. */
function membersOf(payload: unknown): { readonly id?: string; readonly tenant?: string } {
  if (typeof payload !== 'string' || !payload.startsWith('{')) return {};
  const { id, tenant }: Readonly<Record<string, unknown>> = JSON.parse(payload);
  return { ...(typeof id === 'string' && { id }), ...(typeof tenant === 'string' && { tenant }) };
}

function keptOf({ body, query }: FastifyRequest, { keeps = [] }: OperationAudit): AuditDetail | null {
  const members: Record<string, unknown> = { ...asObject(query), ...asObject(body) };
  const kept = keeps.flatMap((name) => {
    const value = members[name];
    if (value === undefined) return [];
    if (typeof value === 'string') return [[name, toAuditText(value)] as const];
    return JSON.stringify(value).length <= longestMemberChars ? [[name, value] as const] : [];
  });
  return kept.length === 0 ? null : Object.fromEntries(kept);
}

/** The job that the body names, if the operation takes a job and the body could be read. */
function jobOf({ body }: FastifyRequest, audit: OperationAudit | null | undefined): AuditDetail {
  if (!audit?.keeps?.includes('job_id')) return {};
  const { job_id: jobId }: { readonly job_id?: unknown } = asObject(body);
  return typeof jobId === 'string' && jobId.length <= longestMemberChars ? { job_id: toAuditText(jobId) } : {};
}

function asObject(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {};
}
