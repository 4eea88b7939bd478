// What one operation of the API is. All of them are in operations.ts.

import type { TSchema } from 'typebox';
import type { AuditAction, AuditObjectKind } from '../domain/audit.ts';
import type { Scope } from '../domain/principal.ts';
import type { ProblemSlug } from '../domain/problem.ts';

/** How an operation answers when it succeeds. */
export type Answer = {
  readonly status: number;
  readonly description: string;
  /** Media type → schema; no entry, no body. `Type.Unsafe` stands for bytes and streams. */
  readonly content: Readonly<Record<string, TSchema>>;
};

/** What the audit log says of an operation that was done, or refused. */
export type OperationAudit = {
  readonly action: AuditAction;
  readonly object: AuditObjectKind;
  /** Members of body and query that it keeps. Never one that may hold a secret. */
  readonly keeps?: readonly string[];
};

export type Operation = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Below apiBase. `{job_id}` takes the rest of the path, slashes included. */
  readonly path: string;
  readonly tag: 'Jobs' | 'Runs' | 'Schedules' | 'Artifacts' | 'Tokens' | 'Audit' | 'System' | 'Events';
  readonly summary: string;
  readonly scope: Scope | 'public';
  /** Concerns every tenant, and so asks for tenant `*` besides. */
  readonly isInstanceWide?: true;
  readonly query?: TSchema;
  readonly body?: TSchema;
  readonly headers?: Readonly<Record<string, string>>;
  readonly answers: readonly Answer[];
  readonly problems: readonly ProblemSlug[];
  /** Of every operation that is not GET; null: it changes nothing. */
  readonly audit?: OperationAudit | null;
};
