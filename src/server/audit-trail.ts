// What passes the server into the audit log: an operation that changes something is answered once its row is durable, and
// what is refused is handed to those that count refusals. Runs are the engine's (ADR 0018).

import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Operation, type OperationAudit, operations } from '../contract/operations.ts';
import { parseCredential } from '../domain/api-token.ts';
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

/** Whose the object of this id is; undefined where there is none. */
export type TenantOf = Readonly<Partial<Record<AuditObjectKind, (id: string) => Promise<string | undefined>>>>;

export type AuditTrail = {
  /** For the route of an operation that changes something. */
  readonly hooksOf: (operation: Operation) => {
    readonly preHandler?: (request: FastifyRequest) => Promise<void>;
    readonly onSend?: (request: FastifyRequest, reply: FastifyReply, payload: unknown) => Promise<unknown>;
  };
  readonly recorderOf: (operation: Operation, request: FastifyRequest) => RecordChange;
  /** What kept a request out, or ended it. */
  readonly note: (problem: Problem, request: FastifyRequest) => void;
  /** Rows that could not be written are given up. */
  readonly close: () => void;
};

const longestMemberChars = 512;

export function createAuditTrail(o: {
  readonly store: Pick<Store, 'audit' | 'db'>;
  readonly refusals: Refusals;
  readonly tenantOf: TenantOf;
  readonly log: Logger;
}): AuditTrail {
  const { store, refusals, log } = o;
  const tenants = new WeakMap<FastifyRequest, string>();
  /** Their handlers see to it themselves. */
  const recorded = new WeakSet<FastifyRequest>();
  const entered = new WeakSet<FastifyRequest>();
  const closing = new AbortController();

  async function enter(entry: NewAuditEntry): Promise<void> {
    try {
      await store.audit.record(entry);
    } catch (error) {
      log.error({ err: error, audit: entry }, 'what was done could not be entered in the audit log; tried again');
      void retryShortage(() => store.audit.record(entry), { isPassing: isStorageError, signal: closing.signal }).catch(
        (reason: unknown) => log.error({ err: reason, audit: entry }, 'a row is missing from the audit log'),
      );
      throw new Problem(
        'not-ready',
        'It was done, but the audit log could not be written; the row is in the server’s log until it can be.',
      );
    }
  }

  return {
    hooksOf({ audit }) {
      // A run's row is written in the very transaction that adds it.
      if (!audit || audit.action === 'run.create') return {};
      return {
        async preHandler(request) {
          const failure = store.db.failure();
          // Removing what is old is what may help a full disk.
          if (failure !== null && audit.action !== 'gc') {
            throw new Problem('not-ready', `The audit log cannot be written, so nothing is done: ${failure}.`);
          }
          // Asked before: what is deleted is nobody's afterwards.
          const id = idInPath(request);
          const tenant = id === null ? undefined : await o.tenantOf[audit.object]?.(id);
          if (tenant !== undefined) tenants.set(request, tenant);
        },
        async onSend(request, reply, payload) {
          if (reply.statusCode >= 400 || recorded.has(request) || entered.has(request)) return payload;
          entered.add(request);
          const answer = membersOf(payload);
          const tenant = answer.tenant ?? tenants.get(request) ?? (request.principal.tenant || '*');
          await enter(doneBy(request, audit, { id: idInPath(request) ?? answer.id ?? null, tenant }));
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
      // 503: nothing was looked at, or the log itself is what fails.
      if (refusals.knows(problem) || entered.has(request) || problem.status === 503) return;
      const operation = operationOf(request);
      const action = actionOf(problem, request, operation?.audit);
      if (!action) return;
      const credential = request.raw.headers.authorization;
      const tokenId = credential && parseCredential(credential.replace(/^Bearer +/i, ''))?.id;
      refusals.add(
        {
          ...about(request),
          tenant: request.principal?.tenant || '*',
          action,
          object: operation?.audit ? { kind: operation.audit.object, id: idInPath(request) } : null,
          result: problem.status >= 500 ? 'failed' : 'refused',
          reason: problem.slug,
          detail: {
            operation: request.routeOptions.config.operation ?? null,
            message: toAuditText(problem.message),
            ...jobOf(request, operation?.audit),
            ...(action === 'auth.fail' && tokenId && { token_id: tokenId }),
          },
        },
        problem,
      );
    },

    close: () => closing.abort(),
  };
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

/** undefined: none that an auditor would ask for, or one of those that are known to be too many. */
function actionOf(
  { slug }: Problem,
  request: FastifyRequest,
  audit: OperationAudit | null | undefined,
): AuditAction | undefined {
  const isKnown = request.principal !== undefined && request.principal.kind !== 'anonymous';
  if (slug === 'unauthenticated' || (slug === 'rate-limited' && !isKnown)) return 'auth.fail';
  if (slug === 'rate-limited') return undefined;
  // Of whoever is nobody, the attempt at what is not even an operation for them.
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

/** `/runs/{run_id}/cancel` has one; what follows a job's id is not looked at. */
function idInPath({ params }: FastifyRequest): AuditObject['id'] {
  const [id] = typeof params === 'object' && params !== null ? Object.values(params) : [];
  return typeof id === 'string' ? toAuditText(id) : null;
}

/** Of the answer no more than this: that of a new token holds the token. */
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

/** The job that was asked for, of what names one in its body, and was read that far. */
function jobOf({ body }: FastifyRequest, audit: OperationAudit | null | undefined): AuditDetail {
  if (!audit?.keeps?.includes('job_id')) return {};
  const { job_id: jobId }: { readonly job_id?: unknown } = asObject(body);
  return typeof jobId === 'string' && jobId.length <= longestMemberChars ? { job_id: toAuditText(jobId) } : {};
}

function asObject(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {};
}
