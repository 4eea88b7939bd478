// An entry of the audit log: who did what to which object, from where, with what result, and why (ADR 0018).

import type { PrincipalKind } from './principal.ts';

/** All actions. The meaning of an action never changes once it has been released. */
export const auditActions = [
  'run.create',
  'run.cancel',
  'run.approve',
  'schedule.create',
  'schedule.replace',
  'schedule.delete',
  'schedule.hold',
  'schedule.release',
  'schedule.pause',
  'schedule.resume',
  'schedule.backfill',
  'backfill.cancel',
  'webhook.create',
  'webhook.delete',
  'token.create',
  'token.revoke',
  'secret.set',
  'secret.delete',
  'secret.rotate',
  'kv.set',
  'kv.delete',
  'channel.test',
  'auth.fail',
  'access.deny',
  'server.start',
  'server.stop',
  'gc',
  'restore',
  'audit.expire',
  'audit.omit',
] as const;
export type AuditAction = (typeof auditActions)[number];

/** `failed` means that the action was interrupted and may be half done. */
export const auditResults = ['done', 'refused', 'failed'] as const;
export type AuditResult = (typeof auditResults)[number];

export const auditObjectKinds = [
  'run',
  'schedule',
  'backfill',
  'webhook',
  'token',
  'secret',
  'kv',
  'channel',
  'instance',
] as const;
export type AuditObjectKind = (typeof auditObjectKinds)[number];

/** `id` is null if the object has no id or does not exist yet. */
export type AuditObject = { readonly kind: AuditObjectKind; readonly id: string | null };

export type AuditDetail = Readonly<Record<string, unknown>>;

export type NewAuditEntry = {
  /** The name of a principal, or `system:` followed by the name of a part of the server. */
  readonly actor: string;
  /** The tenant of the object; `*` stands for the whole instance. */
  readonly tenant: string;
  readonly action: AuditAction;
  readonly object: AuditObject | null;
  /** The network address of the caller; null if no request asked for the action. */
  readonly from: string | null;
  readonly requestId: string | null;
  readonly result: AuditResult;
  /** The slug of the problem, if the action was refused or failed. */
  readonly reason: string | null;
  readonly detail: AuditDetail | null;
};

/** An entry as the API returns it. */
export type AuditEntry = {
  readonly id: number;
  readonly at: string;
  readonly actor: { readonly kind: ActorKind; readonly name: string };
  readonly tenant: string;
  readonly action: AuditAction;
  readonly object: AuditObject | null;
  readonly from: string | null;
  readonly request_id: string | null;
  readonly result: AuditResult;
  readonly reason: string | null;
  readonly detail: AuditDetail | null;
  readonly hash: string;
};

export type ActorKind = PrincipalKind | 'system';

/** The kinds of actors whose names begin with the kind and a colon. */
const prefixes = ['jwt', 'schedule', 'webhook', 'trigger', 'mcp', 'system'] as const;

/** The name alone determines the kind, because no two kinds share a name (ADR 0015). */
export function kindOfActor(name: string): ActorKind {
  if (name === 'local' || name === 'anonymous') return name;
  const [prefix] = name.split(':', 1);
  const kind = prefixes.find((one) => one === prefix);
  return name.includes(':') && kind !== undefined ? kind : 'token';
}

const longestChars = 256;

/** Makes text from a caller safe for the log: removes token secrets and control characters, and cuts long text. */
export function toAuditText(text: string): string {
  const masked = text.replaceAll(/flwd_([A-Za-z0-9]+)_[\w-]+/g, 'flwd_$1_[redacted]').replaceAll(/\p{Cc}/gu, ' ');
  // The cut may leave half a surrogate pair. With such a half, the stored text would differ from the text that was
  // hashed.
  const cut = masked.length <= longestChars ? masked : `${masked.slice(0, longestChars)}…`;
  return cut.toWellFormed();
}

/**
 * Returns an entry for an action that no request asked for. Either the operator worked on the data dir directly, or a
 * part of the server acted by itself.
 */
export function ownEntry(
  actor: 'local' | `system:${string}`,
  entry: Pick<NewAuditEntry, 'action' | 'object' | 'tenant' | 'detail'>,
): NewAuditEntry {
  return { ...entry, actor, from: null, requestId: null, result: 'done', reason: null };
}
