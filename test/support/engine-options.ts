// What an engine of the tests is told, unless the test is about it.

import { join } from 'node:path';
import type { Snapshots } from '../../src/catalog/snapshot.ts';
import type { ForkServer } from '../../src/exec/fork-server.ts';
import { openSealer } from '../../src/exec/seal.ts';

export function engineOptions(dataDir: string, parts: { snapshots: Snapshots; forkServer: ForkServer }) {
  const { snapshots, forkServer } = parts;
  const masked = [dataDir];
  return {
    snapshots,
    sealer: openSealer(join(dataDir, 'secret.key')),
    policy: {
      defaultProfile: 'secure',
      allowProfiles: ['secure', 'permissive'],
      paths: [],
      masked,
      mayGrant: () => [],
    },
    limits: { globalConcurrency: 4, jobConcurrency: null, maxDepth: null, weightOf: () => 1 },
    execution: {
      forkServer,
      runsDir: join(dataDir, 'runs'),
      snapshotDir: (revision: string) => snapshots.dirOf(revision),
      masked,
      passthrough: () => [],
      artifactLimits: { maxSizeBytes: 2 ** 30, quotaBytes: 2 ** 30, ttlMs: null },
    },
    defaultTenant: 'default',
    syncWaitMs: 10_000,
    worker: 'test',
  } as const;
}
