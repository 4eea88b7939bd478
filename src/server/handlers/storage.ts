// Says how much is stored, and whether there is room for more: GET /health/storage, and the artifacts in GET /health.

import { Problem } from '../../domain/problem.ts';
import type { Check } from '../../engine/health.ts';
import type { RetentionPolicy } from '../../engine/retention/retain.ts';
import { formatDurationOrNull, sizeWords } from '../../lib/units.ts';
import { migrations } from '../../store/migrations/migrate.ts';
import type { Store } from '../../store/open.ts';
import type { Handlers } from '../exchange.ts';
import type { ServerConfig } from '../server-config.ts';

type Parts = {
  readonly store: Pick<Store, 'artifacts' | 'size'>;
  readonly quotas: ServerConfig['persistence']['artifacts'];
  readonly retention: RetentionPolicy;
  readonly checks: () => Readonly<Record<string, Check>>;
};

export function createStorageHandlers({ store, quotas, retention, checks }: Parts): Pick<Handlers, 'getStorageHealth'> {
  return {
    async getStorageHealth() {
      const { database, disk } = checks();
      const broken = [database, disk].find((check) => check?.status === 'failing');
      if (broken) throw new Problem('not-ready', `Nothing can be stored: ${broken.detail ?? 'the storage fails'}.`);
      const size = await store.size();
      return {
        ok: true,
        driver: 'sqlite',
        schema_version: migrations.length,
        bytes_used: size.database.bytes,
        max_bytes: 0,
        eviction_active: false,
        log_bytes: size.logBytes,
        retention: toRetention(retention),
        artifacts: {
          ...size.artifacts,
          quota_soft_bytes: quotas.quotaSoftBytes,
          quota_hard_bytes: quotas.quotaHardBytes,
        },
      };
    },
  };
}

function toRetention(policy: RetentionPolicy) {
  return {
    runs: formatDurationOrNull(policy.runsMs),
    logs: formatDurationOrNull(policy.logsMs),
    artifacts: formatDurationOrNull(policy.artifactsMs),
    workspaces: formatDurationOrNull(policy.workspacesMs),
    snapshots: formatDurationOrNull(policy.snapshotsMs),
    events: formatDurationOrNull(policy.eventsMs),
    audit: formatDurationOrNull(policy.auditMs),
    stats: formatDurationOrNull(policy.statsMs),
  };
}

/** Checks the artifacts against their soft quota. Without a soft quota, there is no check. */
export async function checkArtifacts({
  store,
  quotas,
}: Pick<Parts, 'store' | 'quotas'>): Promise<Record<string, Check>> {
  const { quotaSoftBytes } = quotas;
  if (quotaSoftBytes === null) return {};
  const { bytes } = await store.artifacts.totals();
  if (bytes <= quotaSoftBytes) return { artifacts: { status: 'ok' } };
  const detail = `artifacts take ${sizeWords(bytes)}, more than persistence.artifacts.quota_soft, ${sizeWords(quotaSoftBytes)}`;
  return { artifacts: { status: 'degraded', detail } };
}
