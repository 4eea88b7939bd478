import type { RetentionPolicy } from '../../src/engine/retention/retain.ts';

/** A retention policy that deletes nothing. */
export const keepsAll: RetentionPolicy = {
  runsMs: null,
  logsMs: null,
  artifactsMs: null,
  workspacesMs: null,
  snapshotsMs: null,
  eventsMs: null,
  auditMs: null,
  statsMs: null,
};
