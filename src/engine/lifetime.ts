// Records the start and stop of a server in the audit log, and finds when the last server ended. Two starts in a row
// mean that the first server was killed. A restore between them is an exception, because the backup may have been made
// before the first server stopped.

import { type AuditAction, type AuditDetail, ownEntry } from '../domain/audit.ts';
import type { Logger } from '../lib/logger.ts';
import type { AuditStore } from '../store/audit/audit.ts';
import type { Gap } from './schedule/missed-words.ts';

/**
 * Finds when no server was running before this one, from the audit log. The end of a server that was killed is not in
 * the audit log, so `signAtMs`, its last sign of life, stands for it. Returns null if no server ran before this one, or
 * if a restore came after it, because that server may have run on another machine.
 */
export async function findDowntime(
  audit: Pick<AuditStore, 'list'>,
  { startedAtMs, signAtMs = 0 }: { readonly startedAtMs: number; readonly signAtMs?: number | undefined },
): Promise<Gap | null> {
  const newest = async (action: AuditAction) =>
    (await audit.list({ action, limit: 1, untilMs: startedAtMs })).entries[0];
  const [start, stop, restore] = [await newest('server.start'), await newest('server.stop'), await newest('restore')];
  const last = stop && stop.id > (start?.id ?? 0) ? stop : start;
  if (!last || (restore && restore.id > last.id)) return null;
  const isExact = last === stop;
  const fromMs = isExact ? Date.parse(last.at) : Math.max(Date.parse(last.at), signAtMs);
  return { fromMs, toMs: startedAtMs, isExact, why: 'flwd was not running' };
}

/** An error here does not keep a server from starting or stopping. Returns a function that records the stop. */
export async function recordStart(o: {
  readonly audit: Pick<AuditStore, 'record' | 'list'>;
  readonly detail: AuditDetail;
  readonly log: Logger;
}): Promise<() => Promise<void>> {
  const { audit, log } = o;

  async function record(action: AuditAction, detail: AuditDetail | null): Promise<void> {
    try {
      const object = { kind: 'instance', id: null } as const;
      await audit.record(ownEntry('system:server', { action, object, tenant: '*', detail }));
    } catch (error) {
      log.warn({ err: error, action }, 'the audit log could not be written');
    }
  }

  const newest = async (action: AuditAction): Promise<number> =>
    (await audit.list({ action, limit: 1 })).entries[0]?.id ?? 0;
  const ended = Math.max(await newest('server.stop'), await newest('restore'));
  const wasKilled = (await newest('server.start')) > ended;
  await record('server.start', { ...o.detail, ...(wasKilled && { before: 'was killed' }) });
  return () => record('server.stop', null);
}
