// A job of one step without any requests. A test overrides the members it cares about.

import type { JobDefinition } from '../../src/domain/job.ts';
import { noResources } from '../../src/domain/resources.ts';

export const aJob: JobDefinition = {
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
  timeouts: { runMs: null, stepMs: null, queueMs: null },
  cancel: { signal: 'TERM', graceMs: 10_000 },
  securityProfile: null,
  permissions: { network: null, read: [], write: [], resources: noResources },
  artifacts: { paths: [], ttlMs: null },
  logs: { maxSizeBytes: 1_073_741_824 },
  schedules: [],
  notify: [],
  unsupported: [],
};
