// A run as the engine adds it, with what a test cares about laid over it.

import type { JobDefinition } from '../../src/domain/job.ts';
import { noResources } from '../../src/domain/resources.ts';
import { createId } from '../../src/lib/ids.ts';
import type { NewRun } from '../../src/store/runs.ts';
import { nowMs } from './engines.ts';

const aJob: JobDefinition = {
  id: 'backup/daily',
  name: 'daily',
  namespace: 'backup',
  title: 'Daily backup',
  description: null,
  version: '1.0.0',
  tags: [],
  enabled: true,
  source: 'local-fs',
  path: 'backup/daily',
  executor: 'proc',
  image: null,
  argspec: { type: 'object' },
  secretArgs: [],
  env: {},
  composition: 'single',
  steps: [
    {
      id: 'step_01',
      name: null,
      action: { kind: 'command', command: ['./run.sh'], ulcProfile: 'ulc.shell.bash' },
      needs: [],
      condition: null,
      matrix: null,
      foreach: null,
      retry: { limit: 0, backoff: 'exponential', delayMs: 1_000, maxDelayMs: 60_000, on: null },
      timeoutMs: null,
      continueOnError: false,
      always: false,
    },
  ],
  concurrency: null,
  onLost: 'fail',
  timeouts: { runMs: null, stepMs: null, queueMs: 600_000 },
  cancel: { signal: 'TERM', graceMs: 10_000 },
  securityProfile: null,
  permissions: { network: null, read: [], write: [], resources: noResources },
  artifacts: { paths: [], ttlMs: null },
  logs: { maxSizeBytes: 1_073_741_824 },
  schedules: [],
  notify: [],
  unsupported: [],
};

export function aRun(over: Partial<NewRun> = {}): NewRun {
  const createdAtMs = over.createdAtMs ?? nowMs;
  return {
    id: createId('run', createdAtMs),
    jobId: 'backup/daily',
    tenant: 'default',
    createdAtMs,
    args: { target: '/mnt/backup' },
    sealed: null,
    labels: {},
    priority: 0,
    trigger: { type: 'api' },
    createdBy: 'local',
    requestId: 'req_01HM',
    source: { name: 'local-fs', type: 'fs', revision: 'sha256:abc' },
    security: {
      profile: 'secure',
      isolation: {
        pid_namespace: true,
        network: 'none',
        filesystem: 'workspace',
        environment: 'clean',
        no_new_privileges: true,
        uid: 65_534,
      },
    },
    grants: [],
    limits: { log_bytes: 1_073_741_824 },
    waiting: null,
    steps: [{ step_id: 'step_01', n: 1, name: 'Daily backup', kind: 'command', needs: [] }],
    concurrency: { limit: null, key: null },
    rerunOf: null,
    parent: null,
    plan: {
      job: aJob,
      revision: 'sha256:abc',
      profile: 'secure',
      network: 'none',
      read: [],
      write: [],
      resolvedArgs: {},
    },
    ...over,
  };
}
