// A run as the engine adds it. Tests override what they care about.

import { createId } from '../../src/lib/ids.ts';
import type { NewRun } from '../../src/store/run/runs.ts';
import { aJob } from '../support/a-job.ts';
import { nowMs } from './engines.ts';

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
      job: { ...aJob, timeouts: { ...aJob.timeouts, queueMs: 600_000 } },
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
