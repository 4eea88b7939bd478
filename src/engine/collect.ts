// The files that a run leaves as artifacts: found once their processes are gone, and kept all of them or none.

import { join } from 'node:path';
import type { JobDefinition } from '../domain/job.ts';
import { isMediaType } from '../domain/media-type.ts';
import type { Run, RunReason } from '../domain/run.ts';
import { type ArtifactPlaces, findArtifacts } from '../exec/collect.ts';
import type { Redactor } from '../exec/redact.ts';
import type { Clock } from '../lib/clock.ts';
import { createId } from '../lib/ids.ts';
import type { Logger } from '../lib/logger.ts';
import type { NewArtifact } from '../store/artifacts.ts';
import type { Store } from '../store/open.ts';

export type ArtifactLimits = {
  readonly maxSizeBytes: number;
  /** Over all artifacts of the instance. */
  readonly quotaBytes: number;
  readonly ttlMs: number | null;
};

export type Collected = {
  readonly artifacts: readonly NewArtifact[];
  readonly warnings: readonly string[];
  /** Why a script that ended well is a failed run all the same. */
  readonly failure: { readonly reason: RunReason; readonly message: string } | null;
};

export async function collect(o: {
  readonly workspaceDir: string;
  readonly attemptDir: string;
  /** `named`: what the attempt named; `workspace`: what lies in the workspace; or both. */
  readonly places: ArtifactPlaces;
  readonly stepId: string;
  /** Paths that an earlier step's end has taken. */
  readonly taken: ReadonlySet<string>;
  readonly job: JobDefinition;
  readonly run: Pick<Run, 'run_id' | 'job_id' | 'tenant'>;
  readonly redactor: Redactor;
  readonly store: Store;
  readonly limits: ArtifactLimits;
  readonly clock: Clock;
  readonly log: Logger;
}): Promise<Collected> {
  const found = await findArtifacts({
    workspaceDir: o.workspaceDir,
    outDir: join(o.attemptDir, 'out'),
    patterns: o.job.artifacts.paths,
    places: o.places,
  });
  const files = found.files.filter(({ path }) => !o.taken.has(path));
  const warnings = found.warnings.map((warning) => o.redactor.text(warning));
  const tooLarge = files.find((file) => file.sizeBytes > o.limits.maxSizeBytes);
  if (tooLarge) {
    const message = o.redactor.text(
      `the artifact ${tooLarge.path} has ${tooLarge.sizeBytes} bytes; persistence.artifacts.max_size is ${o.limits.maxSizeBytes}`,
    );
    return { artifacts: [], warnings, failure: { reason: 'artifact_too_large', message } };
  }
  return { ...(await keep(files, o)), warnings };
}

type FoundFile = Awaited<ReturnType<typeof findArtifacts>>['files'][number];

/** All of the files, or none and why. */
async function keep(
  found: readonly FoundFile[],
  o: Parameters<typeof collect>[0],
): Promise<Pick<Collected, 'artifacts' | 'failure'>> {
  const { store, limits, redactor } = o;
  const createdAtMs = o.clock.now();
  const ttlMs = o.job.artifacts.ttlMs ?? limits.ttlMs;
  const files = found.map((file) => ({ ...file, id: createId('artifact', createdAtMs) }));
  const room = await store.artifacts.takeRoom(files, limits.quotaBytes);
  if (room.kind === 'full') {
    const path = files.find(({ id }) => id === room.id)?.path ?? '';
    const message = `the artifact ${path} would pass persistence.artifacts.quota_hard of ${limits.quotaBytes} bytes; ${room.usedBytes} are taken`;
    return { artifacts: [], failure: { reason: 'quota_exceeded', message: redactor.text(message) } };
  }

  const staged: NewArtifact[] = [];
  for (const file of files) {
    try {
      const blob = await store.artifacts.stage(file.hostPath, { id: file.id });
      staged.push({
        ...blob,
        runId: o.run.run_id,
        jobId: o.run.job_id,
        tenant: o.run.tenant,
        stepId: o.stepId,
        name: redactor.text(file.name),
        path: redactor.text(file.path),
        mediaType: openMediaType(redactor.text(file.mediaType)),
        createdAtMs,
        expiresAtMs: ttlMs === null ? null : createdAtMs + ttlMs,
      });
    } catch (error) {
      o.log.error({ err: error, run_id: o.run.run_id }, 'an artifact could not be stored');
      for (const artifact of staged) await store.artifacts.discard(artifact);
      room.giveBack();
      const message = `the artifact ${file.path} could not be stored; the server log says why`;
      return { artifacts: [], failure: { reason: 'artifact_not_stored', message: redactor.text(message) } };
    }
  }
  return { artifacts: staged, failure: null };
}

/** What is left of one that held a secret is none. */
function openMediaType(redacted: string): string {
  return isMediaType(redacted) ? redacted : 'application/octet-stream';
}
