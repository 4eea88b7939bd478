// Pins everything that others rely on as literals. A failing pin asks whether the change was intended. If so, change it
// here as well, and mention it in CHANGELOG.md.

import { createHash } from 'node:crypto';
import { DummyDriver, Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely';
import { expect, test } from 'vitest';
import { commands } from '../src/cli/commands.ts';
import { exitCodes } from '../src/cli/exit-code.ts';
import { variables } from '../src/config/environment.ts';
import { type Operation, operations } from '../src/contract/operations.ts';
import { auditActions } from '../src/domain/audit.ts';
import { eventTypes } from '../src/domain/event.ts';
import { logLevels } from '../src/domain/log-line.ts';
import { scopes } from '../src/domain/principal.ts';
import { problems } from '../src/domain/problem.ts';
import { type RunReason, runStatuses } from '../src/domain/run.ts';
import { migrations } from '../src/store/migrations/migrate.ts';
import type { Schema } from '../src/store/schema.ts';
import { columnTypes } from '../src/store/sqlite/sqlite.ts';

test('operations: id, method, path, scope', () => {
  const lines = Object.entries(operations).map(([id, { method, path, scope }]) => `${id}: ${method} ${path} ${scope}`);
  expect(lines).toEqual([
    'listJobs: GET /jobs jobs:read',
    'getJob: GET /jobs/{job_id} jobs:read',
    'listJobFiles: GET /job-files/{job_id} code:read',
    'getJobFile: GET /job-file/{job_id} code:read',
    'getJobTimes: GET /stats/times runs:read',
    'createRun: POST /runs runs:write',
    'listRuns: GET /runs runs:read',
    'getRun: GET /runs/{run_id} runs:read',
    'getRunLogs: GET /runs/{run_id}/logs runs:read',
    'getRunEvents: GET /runs/{run_id}/events runs:read',
    'getRunEventLines: GET /runs/{run_id}/events.ndjson runs:read',
    'listRunNotices: GET /runs/{run_id}/notices runs:read',
    'cancelRun: POST /runs/{run_id}/cancel runs:write',
    'rerunRun: POST /runs/{run_id}/rerun runs:write',
    'approveRun: POST /runs/{run_id}/approvals runs:approve',
    'listApprovals: GET /approvals runs:read',
    'listRunAttempts: GET /runs/{run_id}/attempts runs:read',
    'listRunChildren: GET /runs/{run_id}/children runs:read',
    'createPlan: POST /plans jobs:read',
    'listSources: GET /sources sources:read',
    'getSource: GET /sources/{name} sources:read',
    'syncSource: POST /sources/{name}/sync sources:write',
    'listSchedules: GET /schedules jobs:read',
    'createSchedule: POST /schedules schedules:write',
    'previewSchedule: POST /schedules/preview jobs:read',
    'listScheduleFires: GET /schedules/fires runs:read',
    'getSchedule: GET /schedules/{schedule_id} jobs:read',
    'replaceSchedule: PUT /schedules/{schedule_id} schedules:write',
    'deleteSchedule: DELETE /schedules/{schedule_id} schedules:write',
    'holdSchedule: POST /schedules/{schedule_id}/hold schedules:write',
    'releaseSchedule: POST /schedules/{schedule_id}/release schedules:write',
    'runSchedule: POST /schedules/{schedule_id}/run runs:write',
    'listSecrets: GET /secrets secrets:write',
    'putSecret: PUT /secrets/{name} secrets:write',
    'deleteSecret: DELETE /secrets/{name} secrets:write',
    'rotateSecrets: POST /secrets/rotate admin',
    'listKvNamespaces: GET /kv kv:read',
    'listKvKeys: GET /kv/{namespace} kv:read',
    'getKvKey: GET /kv/{namespace}/{key} kv:read',
    'putKvKey: PUT /kv/{namespace}/{key} kv:write',
    'deleteKvKey: DELETE /kv/{namespace}/{key} kv:write',
    'listArtifacts: GET /artifacts artifacts:read',
    'getArtifact: GET /artifacts/{artifact_id} artifacts:read',
    'createToken: POST /tokens admin',
    'listTokens: GET /tokens admin',
    'revokeToken: DELETE /tokens/{token_id} admin',
    'listAudit: GET /audit audit:read',
    'verifyAudit: GET /audit/verify audit:read',
    'getStats: GET /stats runs:read',
    'getJobStats: GET /stats/jobs runs:read',
    'getHealth: GET /health public',
    'getStorageHealth: GET /health/storage metrics:read',
    'getSystemInfo: GET /system/info jobs:read',
    'collectGarbage: POST /system/gc admin',
    'listWorkers: GET /workers jobs:read',
    'streamRunEvents: GET /events/runs runs:read',
  ]);
});

test('actions of the audit log, and the operations recorded under each', () => {
  expect(auditActions).toEqual([
    'run.create',
    'run.cancel',
    'run.approve',
    'schedule.create',
    'schedule.replace',
    'schedule.delete',
    'schedule.hold',
    'schedule.release',
    'token.create',
    'token.revoke',
    'secret.set',
    'secret.delete',
    'secret.rotate',
    'kv.set',
    'kv.delete',
    'auth.fail',
    'access.deny',
    'server.start',
    'server.stop',
    'gc',
    'restore',
    'audit.expire',
    'audit.omit',
  ]);
  const changing = Object.entries<Operation>(operations).filter(([, { method }]) => method !== 'GET');
  // An operation that changes something and is not entered must be null here, for everyone to see.
  const lines = changing.map(
    ([id, { audit }]) => `${id}: ${audit === undefined ? 'MISSING' : (audit?.action ?? null)}`,
  );
  expect(lines).toEqual([
    'createRun: run.create',
    'cancelRun: run.cancel',
    'rerunRun: run.create',
    'approveRun: run.approve',
    'createPlan: null',
    'syncSource: null',
    'createSchedule: schedule.create',
    'previewSchedule: null',
    'replaceSchedule: schedule.replace',
    'deleteSchedule: schedule.delete',
    'holdSchedule: schedule.hold',
    'releaseSchedule: schedule.release',
    'runSchedule: run.create',
    'putSecret: secret.set',
    'deleteSecret: secret.delete',
    'rotateSecrets: secret.rotate',
    'putKvKey: kv.set',
    'deleteKvKey: kv.delete',
    'createToken: token.create',
    'revokeToken: token.revoke',
    'collectGarbage: gc',
  ]);
});

test('problems: type, status, title', () => {
  const lines = Object.entries(problems).map(([slug, { status, title }]) => `${slug} ${status} ${title}`);
  expect(lines).toEqual([
    'validation-error 400 Validation Error',
    'malformed-request 400 Malformed Request',
    'unauthenticated 401 Unauthenticated',
    'permission-denied 403 Permission Denied',
    'job-not-found 404 Job Not Found',
    'run-not-found 404 Run Not Found',
    'source-not-found 404 Source Not Found',
    'schedule-not-found 404 Schedule Not Found',
    'webhook-not-found 404 Webhook Not Found',
    'signature-invalid 403 Signature Invalid',
    'secret-not-found 404 Secret Not Found',
    'kv-key-not-found 404 Key Not Found',
    'job-file-not-found 404 File Not Found',
    'token-not-found 404 Token Not Found',
    'artifact-not-found 404 Artifact Not Found',
    'not-found 404 Not Found',
    'method-not-allowed 405 Method Not Allowed',
    'run-already-finished 409 Run Already Finished',
    'run-not-finished 409 Run Not Finished',
    'workspace-expired 409 Workspace Expired',
    'revision-expired 409 Revision Expired',
    'approval-not-pending 409 Approval Not Pending',
    'concurrency-conflict 409 Concurrency Conflict',
    'kv-conflict 409 Key Changed',
    'idempotency-conflict 409 Idempotency Conflict',
    'idempotency-in-flight 409 Idempotency In Flight',
    'source-managed 409 Source Managed',
    'artifact-gone 410 Artifact Gone',
    'events-expired 410 Events Expired',
    'body-too-large 413 Body Too Large',
    'unsupported-media-type 415 Unsupported Media Type',
    'range-not-satisfiable 416 Range Not Satisfiable',
    'job-invalid 422 Job Invalid',
    'not-supported-yet 422 Not Supported Yet',
    'secret-unavailable 422 Secret Unavailable',
    'isolation-unavailable 422 Isolation Unavailable',
    'profile-not-allowed 422 Profile Not Allowed',
    'grant-not-allowed 422 Grant Not Allowed',
    'kv-full 422 Key-Value Store Full',
    'queue-full 429 Queue Full',
    'rate-limited 429 Rate Limited',
    'headers-too-large 431 Headers Too Large',
    'execution-error 500 Execution Error',
    'artifact-damaged 500 Artifact Damaged',
    'log-damaged 500 Log Damaged',
    'database-damaged 500 Database Damaged',
    'internal-error 500 Internal Error',
    'overloaded 503 Overloaded',
    'not-ready 503 Not Ready',
  ]);
});

test('events', () => {
  expect(eventTypes).toEqual([
    'run.created',
    'run.started',
    'run.output',
    'run.finished',
    'step.started',
    'step.output',
    'step.finished',
    'run.waiting',
    'run.progress',
    'run.cancelling',
    'step.waiting_approval',
    'step.skipped',
    'step.retrying',
  ]);
});

test('statuses, reasons, levels, scopes', () => {
  expect(runStatuses).toEqual(['pending', 'running', 'success', 'failed', 'cancelled']);
  expect(logLevels).toEqual(['trace', 'debug', 'info', 'warn', 'error', 'fatal']);
  expect(scopes.join(' ')).toBe(
    'jobs:read code:read runs:read runs:write runs:approve artifacts:read sources:read sources:write schedules:write ' +
      'secrets:write kv:read kv:write metrics:read audit:read admin',
  );
  // The type checker keeps this list whole: a reason more or fewer is an error.
  const reasons: Record<RunReason, true> = {
    exit: true,
    signal: true,
    timeout: true,
    out_of_memory: true,
    lost: true,
    start_failed: true,
    upstream_failed: true,
    approval_denied: true,
    invalid_result: true,
    artifact_too_large: true,
    artifact_not_stored: true,
    quota_exceeded: true,
  };
  expect(Object.keys(reasons)).toHaveLength(12);
});

test('commands of flwd, with their options', () => {
  const lines = commands.map(({ name, options }) => [name, ...options.map((option) => `--${option.name}`)].join(' '));
  expect(lines).toEqual([
    'run --args --args-file --security-profile --tenant --label --idempotency-key --priority --detach --json --quiet --verbose --remote --config --data-dir --jobs',
    'plan --args --args-file --security-profile --tenant --json --quiet --verbose --remote --config --data-dir --jobs',
    'jobs --source --prefix --tag --search --json --quiet --verbose --remote --config --data-dir --jobs',
    'jobs validate --json --quiet',
    'init --language --from --profile --allow --name --json --quiet --config --jobs',
    'test --json --quiet --config --jobs',
    'sources --json --quiet --verbose --remote --config --data-dir --jobs',
    'sources list --json --quiet --verbose --remote --config --data-dir --jobs',
    'sources get --json --quiet --verbose --remote --config --data-dir --jobs',
    'sources reload --json --quiet --verbose --remote --config --data-dir --jobs',
    'schedules --job --tenant --json --quiet --verbose --remote --config --data-dir --jobs',
    'schedules add --cron --timezone --catch-up --jitter --name --next --args --args-file --label --tenant --json --quiet --verbose --remote --config --data-dir --jobs',
    'schedules run --idempotency-key --detach --json --quiet --verbose --remote --config --data-dir --jobs',
    'schedules rm --json --quiet --verbose --remote --config --data-dir --jobs',
    'schedules hold --json --quiet --verbose --remote --config --data-dir --jobs',
    'schedules release --after --json --quiet --verbose --remote --config --data-dir --jobs',
    'tui --remote --config --data-dir --jobs',
    'import crontab --system --to --json --quiet --config --jobs',
    'import systemd-timers --to --json --quiet --config --jobs',
    'import cronicle --to --json --quiet --config --jobs',
    'import rundeck --to --json --quiet --config --jobs',
    'import dagu --to --json --quiet --config --jobs',
    'takeover --dry-run --yes --undo --json --quiet --config --data-dir --jobs',
    'runs --job --status --since --until --label --not-label --by --trigger --top-level --search --limit --id --tenant --json --quiet --verbose --remote --config --data-dir --jobs',
    'stats --range --job --tenant --json --quiet --verbose --remote --config --data-dir --jobs',
    'logs --follow --tail --level --step --search --timestamps --json --quiet --verbose --remote --config --data-dir --jobs',
    'cancel --force --json --quiet --verbose --remote --config --data-dir --jobs',
    'rerun --from --latest --args --args-file --idempotency-key --detach --json --quiet --verbose --remote --config --data-dir --jobs',
    'approvals --answered --job --limit --tenant --json --quiet --verbose --remote --config --data-dir --jobs',
    'approve --comment --json --quiet --verbose --remote --config --data-dir --jobs',
    'deny --comment --json --quiet --verbose --remote --config --data-dir --jobs',
    'artifacts --json --quiet --verbose --remote --config --data-dir --jobs',
    'artifacts get --output --force --json --quiet --verbose --remote --config --data-dir --jobs',
    'events --run --job --type --json --quiet --verbose --remote --config --data-dir --jobs',
    'export --json --quiet --verbose --remote --config --data-dir --jobs',
    'kv get --tenant --json --quiet --verbose --remote --config --data-dir --jobs',
    'kv set --ttl --if-version --tenant --json --quiet --verbose --remote --config --data-dir --jobs',
    'kv delete --tenant --json --quiet --verbose --remote --config --data-dir --jobs',
    'kv list --prefix --tenant --json --quiet --verbose --remote --config --data-dir --jobs',
    'serve --config --bind --data-dir --jobs --profile --log --dev --stop-runs',
    'config validate --json --config',
    'config show --json --config --bind --data-dir --jobs --profile --log',
    'doctor --json --config --data-dir',
    'gc --dry-run --json --quiet --verbose --remote --config --data-dir --jobs',
    'secrets set --tenant --json --quiet --verbose --remote --config --data-dir --jobs',
    'secrets list --tenant --json --quiet --verbose --remote --config --data-dir --jobs',
    'secrets rm --tenant --json --quiet --verbose --remote --config --data-dir --jobs',
    'secrets rotate --json --quiet --verbose --remote --config --data-dir --jobs',
    'tokens create --name --scopes --tenant --expires --json --quiet --verbose --remote --config --data-dir --jobs',
    'tokens list --json --quiet --verbose --remote --config --data-dir --jobs',
    'tokens revoke --json --quiet --verbose --remote --config --data-dir --jobs',
    'audit --since --until --actor --action --object --result --tenant --limit --json --quiet --remote --config --data-dir --jobs',
    'audit verify --json --config --data-dir',
    'backup --include-key --json --config --data-dir',
    'restore --force --json --config --data-dir',
    'completion',
    'version --json',
    'help',
  ]);
});

test('exit codes', () => {
  expect(exitCodes).toEqual({
    done: 0,
    runFailed: 1,
    wrongUse: 2,
    notFound: 3,
    notAllowed: 4,
    unreachable: 5,
    refused: 6,
    bug: 70,
    interrupted: 130,
  });
});

test('variables that override flwd.yaml, after FLWD_; <NAME> is SECURE, PERMISSIVE or DISABLED', () => {
  const names = [...variables.keys()].map((name) => name.replace(/_(SECURE|PERMISSIVE|DISABLED)_/, '_<NAME>_'));
  expect(variables.has('SECURITY_PROFILES_SECURE_NETWORK')).toBe(true);
  expect([...new Set(names)].toSorted()).toEqual([
    'AUTH_JWT_ALGORITHMS',
    'AUTH_JWT_AUDIENCE',
    'AUTH_JWT_CLOCK_SKEW',
    'AUTH_JWT_ISSUER',
    'AUTH_JWT_JWKS_FILE',
    'AUTH_JWT_JWKS_URL',
    'AUTH_JWT_SCOPE_CLAIM',
    'AUTH_JWT_TENANT_CLAIM',
    'AUTH_MODE',
    'AUTH_TRUST_JOBS',
    'CONTAINER_ALLOWED_REGISTRIES',
    'CONTAINER_INSECURE_REGISTRIES',
    'CONTAINER_RUNTIME',
    'CONTAINER_RUNTIME_ARGS',
    'CONTAINER_VERIFY_SIGNATURES',
    'DATABASE_URL',
    'DATA_DIR',
    'EXTENSIONS_ENABLED',
    'INSTANCE_DATA_DIR',
    'INSTANCE_DEFAULT_TENANT',
    'INSTANCE_NAME',
    'LOGGING_FIELDS',
    'LOGGING_FORMAT',
    'LOGGING_LEVEL',
    'LOGGING_OUTPUT',
    'LOG_LEVEL',
    'NOTIFY_SIGNING_KEY_FILE',
    'PERSISTENCE_ARTIFACTS_MAX_SIZE',
    'PERSISTENCE_ARTIFACTS_QUOTA_HARD',
    'PERSISTENCE_ARTIFACTS_QUOTA_SOFT',
    'PERSISTENCE_ARTIFACTS_TTL',
    'PERSISTENCE_BLOBS_PATH',
    'PERSISTENCE_BLOBS_S3_BUCKET',
    'PERSISTENCE_BLOBS_S3_ENDPOINT',
    'PERSISTENCE_BLOBS_S3_PREFIX',
    'PERSISTENCE_BLOBS_S3_REGION',
    'PERSISTENCE_BLOBS_STORE',
    'PERSISTENCE_DB_PATH',
    'PERSISTENCE_RETENTION_ARTIFACTS',
    'PERSISTENCE_RETENTION_AUDIT',
    'PERSISTENCE_RETENTION_EVENTS',
    'PERSISTENCE_RETENTION_LOGS',
    'PERSISTENCE_RETENTION_RUNS',
    'PERSISTENCE_RETENTION_SNAPSHOTS',
    'PERSISTENCE_RETENTION_STATS',
    'PERSISTENCE_RETENTION_WORKSPACES',
    'PERSISTENCE_SECRET_KEY_FILE',
    'PERSISTENCE_URL',
    'PROFILE',
    'SCHEDULER_GLOBAL_CONCURRENCY',
    'SCHEDULER_JOB_CONCURRENCY',
    'SCHEDULER_QUEUE_DEFAULT_WEIGHT',
    'SCHEDULER_QUEUE_MAX_DEPTH',
    'SCHEDULER_QUEUE_WEIGHTS',
    'SCHEDULER_TIMEZONE',
    'SECRET_KEY',
    'SECURITY_ALLOW_PROFILES',
    'SECURITY_DEFAULT_PROFILE',
    'SECURITY_PATHS',
    'SECURITY_PROFILES_<NAME>_CAPABILITIES',
    'SECURITY_PROFILES_<NAME>_ENV_PASSTHROUGH',
    'SECURITY_PROFILES_<NAME>_FILESYSTEM',
    'SECURITY_PROFILES_<NAME>_MAY_GRANT',
    'SECURITY_PROFILES_<NAME>_NETWORK',
    'SECURITY_PROFILES_<NAME>_RATE_LIMIT_LIMIT',
    'SECURITY_PROFILES_<NAME>_RATE_LIMIT_WINDOW',
    'SECURITY_PROFILES_<NAME>_RESOURCES_CPU',
    'SECURITY_PROFILES_<NAME>_RESOURCES_CPU_LIMIT',
    'SECURITY_PROFILES_<NAME>_RESOURCES_MEMORY',
    'SECURITY_PROFILES_<NAME>_RESOURCES_MEMORY_LIMIT',
    'SECURITY_PROFILES_<NAME>_RESOURCES_PIDS',
    'SECURITY_PROFILES_<NAME>_RESOURCES_TIMEOUT',
    'SECURITY_PROFILES_<NAME>_RESOURCES_WORKSPACE',
    'SECURITY_RUN_AS',
    'SERVER_BIND',
    'SERVER_BODY_LIMIT',
    'SERVER_CORS_ORIGINS',
    'SERVER_IDLE_TIMEOUT',
    'SERVER_READ_TIMEOUT',
    'SERVER_SYNC_WAIT',
    'SERVER_TLS_CERT_FILE',
    'SERVER_TLS_ENABLED',
    'SERVER_TLS_KEY_FILE',
    'SERVER_TRUST_PROXY',
    'SERVER_WRITE_TIMEOUT',
    'TELEMETRY_OTLP_ENDPOINT',
    'WORKER_ENABLED',
    'WORKER_LABELS',
  ]);
});

test('migrations: name, and the hash of their statements; a released one is never edited', () => {
  const db = new Kysely<Schema>({
    dialect: {
      createAdapter: () => new SqliteAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (db) => new SqliteIntrospector(db),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    },
  });
  const hashes = migrations.map(({ name, statements }) => {
    const sql = statements(db, columnTypes).map((statement) => statement.compile().sql);
    return `${name} ${createHash('sha256').update(sql.join(';\n')).digest('hex').slice(0, 16)}`;
  });
  expect(hashes).toEqual([
    '0001-initial 7a5c8adce26dd628',
    '0002-steps a6d4fd8b1fcdbefe',
    '0003-schedules 60d6d7ba157b85bb',
    '0004-notices e9cea8959ea88b2c',
    '0005-retention c0c9dbd6631987bb',
    '0006-tokens 4405fdfed4a90d26',
    '0007-secrets bcb65a5be6e37de5',
    '0008-audit 9d1359aec3b0111b',
    '0009-tenants 81f669593e22879f',
    '0010-run-totals 143b5ebc33f795aa',
    '0011-run-days 9233fc1586735bbc',
    '0012-what-a-run-leaves 8016bed835fb2780',
    '0013-clock-set 04111aab881c888e',
    '0014-owners 71b14fb9475f0297',
    '0015-hints 22255f527731b227',
    '0016-held-schedules 1efb28689a3ca6ba',
    '0017-kv 7cd4ceb23f0a1648',
    '0018-run-stats 9a4a3ad4619d79b9',
    '0020-lists-of-runs 18dbd69a2b667856',
    '0021-webhooks 8f73a197353ae7bd',
  ]);
});
