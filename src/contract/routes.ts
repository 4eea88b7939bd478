// The method and path of each operation. This is all that a client has to know of an operation. operations.ts also has
// the schemas, but loading them would slow down every command.

export const apiBase = '/api/v1';

/** The longest time for which a stream of server-sent events sends nothing. */
export const heartbeatMs = 15_000;

export type Route = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Relative to apiBase. `{job_id}` and `{key}` match the rest of the path, including slashes. */
  readonly path: string;
  /** false means that the operation never answers with JSON. */
  readonly isJson?: boolean;
};

/** The parameter that matches the rest of the path. */
export const restParameter = /\{(job_id|key)\}/;

export const routes = {
  listJobs: { method: 'GET', path: '/jobs' },
  getJob: { method: 'GET', path: '/jobs/{job_id}' },
  listJobFiles: { method: 'GET', path: '/job-files/{job_id}' },
  getJobFile: { method: 'GET', path: '/job-file/{job_id}' },
  createRun: { method: 'POST', path: '/runs' },
  listRuns: { method: 'GET', path: '/runs' },
  getRun: { method: 'GET', path: '/runs/{run_id}' },
  listFailures: { method: 'GET', path: '/failures' },
  listLate: { method: 'GET', path: '/late' },
  searchLogs: { method: 'GET', path: '/logs' },
  getRunLogs: { method: 'GET', path: '/runs/{run_id}/logs' },
  getRunEvents: { method: 'GET', path: '/runs/{run_id}/events', isJson: false },
  getRunEventLines: { method: 'GET', path: '/runs/{run_id}/events.ndjson', isJson: false },
  listRunNotices: { method: 'GET', path: '/runs/{run_id}/notices' },
  cancelRun: { method: 'POST', path: '/runs/{run_id}/cancel' },
  rerunRun: { method: 'POST', path: '/runs/{run_id}/rerun' },
  approveRun: { method: 'POST', path: '/runs/{run_id}/approvals' },
  listApprovals: { method: 'GET', path: '/approvals' },
  listRunAttempts: { method: 'GET', path: '/runs/{run_id}/attempts' },
  listRunChildren: { method: 'GET', path: '/runs/{run_id}/children' },
  getJobTimes: { method: 'GET', path: '/stats/times' },
  createPlan: { method: 'POST', path: '/plans' },
  listSources: { method: 'GET', path: '/sources' },
  getSource: { method: 'GET', path: '/sources/{name}' },
  syncSource: { method: 'POST', path: '/sources/{name}/sync' },
  listSchedules: { method: 'GET', path: '/schedules' },
  createSchedule: { method: 'POST', path: '/schedules' },
  previewSchedule: { method: 'POST', path: '/schedules/preview' },
  listScheduleFires: { method: 'GET', path: '/schedules/fires' },
  pauseSchedules: { method: 'POST', path: '/schedules/pause' },
  resumeSchedules: { method: 'POST', path: '/schedules/resume' },
  getSchedule: { method: 'GET', path: '/schedules/{schedule_id}' },
  replaceSchedule: { method: 'PUT', path: '/schedules/{schedule_id}' },
  deleteSchedule: { method: 'DELETE', path: '/schedules/{schedule_id}', isJson: false },
  holdSchedule: { method: 'POST', path: '/schedules/{schedule_id}/hold' },
  releaseSchedule: { method: 'POST', path: '/schedules/{schedule_id}/release' },
  runSchedule: { method: 'POST', path: '/schedules/{schedule_id}/run' },
  createBackfill: { method: 'POST', path: '/schedules/{schedule_id}/backfills' },
  previewBackfill: { method: 'POST', path: '/schedules/{schedule_id}/backfills/preview' },
  listBackfills: { method: 'GET', path: '/backfills' },
  getBackfill: { method: 'GET', path: '/backfills/{backfill_id}' },
  cancelBackfill: { method: 'POST', path: '/backfills/{backfill_id}/cancel' },
  listWebhooks: { method: 'GET', path: '/webhooks' },
  createWebhook: { method: 'POST', path: '/webhooks' },
  getWebhook: { method: 'GET', path: '/webhooks/{webhook_id}' },
  deleteWebhook: { method: 'DELETE', path: '/webhooks/{webhook_id}', isJson: false },
  testWebhook: { method: 'POST', path: '/webhooks/{webhook_id}/test' },
  listDeliveries: { method: 'GET', path: '/webhooks/{webhook_id}/deliveries' },
  replayDelivery: { method: 'POST', path: '/webhooks/{webhook_id}/deliveries/{delivery_id}/replay' },
  listChannels: { method: 'GET', path: '/channels' },
  testChannel: { method: 'POST', path: '/channels/{name}/test' },
  listTriggers: { method: 'GET', path: '/triggers' },
  listTriggerResults: { method: 'GET', path: '/triggers/{trigger_id}/results' },
  listSecrets: { method: 'GET', path: '/secrets' },
  putSecret: { method: 'PUT', path: '/secrets/{name}' },
  deleteSecret: { method: 'DELETE', path: '/secrets/{name}', isJson: false },
  rotateSecrets: { method: 'POST', path: '/secrets/rotate' },
  listKvNamespaces: { method: 'GET', path: '/kv' },
  listKvKeys: { method: 'GET', path: '/kv/{namespace}' },
  getKvKey: { method: 'GET', path: '/kv/{namespace}/{key}' },
  putKvKey: { method: 'PUT', path: '/kv/{namespace}/{key}' },
  deleteKvKey: { method: 'DELETE', path: '/kv/{namespace}/{key}', isJson: false },
  listArtifacts: { method: 'GET', path: '/artifacts' },
  getArtifact: { method: 'GET', path: '/artifacts/{artifact_id}', isJson: false },
  createToken: { method: 'POST', path: '/tokens' },
  listTokens: { method: 'GET', path: '/tokens' },
  revokeToken: { method: 'DELETE', path: '/tokens/{token_id}', isJson: false },
  listAudit: { method: 'GET', path: '/audit' },
  verifyAudit: { method: 'GET', path: '/audit/verify' },
  getHealth: { method: 'GET', path: '/health' },
  getStorageHealth: { method: 'GET', path: '/health/storage' },
  getSystemInfo: { method: 'GET', path: '/system/info' },
  collectGarbage: { method: 'POST', path: '/system/gc' },
  getStats: { method: 'GET', path: '/stats' },
  getJobStats: { method: 'GET', path: '/stats/jobs' },
  listWorkers: { method: 'GET', path: '/workers' },
  streamRunEvents: { method: 'GET', path: '/events/runs', isJson: false },
} as const satisfies Record<string, Route>;
