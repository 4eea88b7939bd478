// Options of an engine in tests that are not about these options.

import { join } from 'node:path';
import type { Snapshots } from '../../src/catalog/source/snapshot.ts';
import { noResources } from '../../src/domain/resources.ts';
import { openKeyring } from '../../src/engine/secrets/keyring.ts';
import { createSealer } from '../../src/engine/secrets/seal.ts';
import type { Capabilities } from '../../src/exec/executor.ts';
import type { LimitHost } from '../../src/exec/host/limit-host.ts';
import type { ForkServer } from '../../src/exec/proc/fork-server.ts';
import { createProcExecutor } from '../../src/exec/proc/proc-executor.ts';
import { createRunCallers } from '../../src/exec/proc/run-callers.ts';
import { createRoomLender } from '../../src/instance/disk-reserve.ts';
import { openOwnerId } from '../../src/instance/owner-id.ts';

const nothing = { by: 'none', detail: 'not in this test' } as const;
const withoutLimits: LimitHost = { cpu: nothing, memory: nothing, pids: nothing };

export function engineOptions(
  dataDir: string,
  o: { snapshots: Snapshots; forkServer: ForkServer; capabilities: Capabilities; limitHost?: LimitHost | undefined },
) {
  const { snapshots, forkServer, capabilities, limitHost = withoutLimits } = o;
  const masked = () => [dataDir];
  const keyring = openKeyring(join(dataDir, 'secret.key'));
  return {
    snapshots,
    keyring,
    sealer: createSealer(keyring),
    policy: {
      defaultProfile: 'secure',
      allowProfiles: ['secure', 'permissive'],
      runAs: [],
      paths: [],
      trustsJobs: false,
      mayGrant: () => [],
      resources: () => noResources,
      runTimeoutMs: () => null,
    },
    limits: { globalConcurrency: 4, jobConcurrency: null, maxDepth: null, weightOf: () => 1 },
    execution: {
      executor: createProcExecutor({ capabilities, limitHost, forkServer }),
      runsDir: join(dataDir, 'runs'),
      ownFolders: ['runs', 'snapshots', 'logs', 'artifacts', 'pipes'].map((name) => join(dataDir, name)),
      snapshotDir: (revision: string) => snapshots.dirOf(revision),
      masked,
      passthrough: () => [],
      runCallers: createRunCallers(),
      artifactLimits: { maxSizeBytes: 2 ** 30, quotaBytes: 2 ** 30, ttlMs: null },
    },
    defaultTenant: 'default',
    timezone: 'UTC',
    calendars: new Map(),
    downtime: async () => null,
    arePaused: false,
    triggersPaused: false,
    syncWaitMs: 10_000,
    ownerId: openOwnerId(dataDir),
    worker: 'test',
    room: createRoomLender(dataDir),
  } as const;
}
