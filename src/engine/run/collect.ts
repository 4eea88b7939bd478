// The files that a run leaves as artifacts: found once its processes are gone, and kept all of them or none.

import type { JobDefinition } from '../../domain/job.ts';
import { isMediaType } from '../../domain/media-type.ts';
import type { Run, RunReason } from '../../domain/run.ts';
import type { LastChange } from '../../exec/collect/changed-by.ts';
import { type ArtifactWarning, type FoundArtifact, findArtifacts, type Namer } from '../../exec/collect/collect.ts';
import type { BytePath } from '../../exec/collect/sandbox-paths.ts';
import type { Redactor } from '../../exec/redact/redact.ts';
import type { Clock } from '../../lib/clock.ts';
import { createId } from '../../lib/ids.ts';
import type { Logger } from '../../lib/logger.ts';
import type { NewArtifact } from '../../store/blobs/artifacts.ts';
import type { Store } from '../../store/open.ts';

export type ArtifactLimits = {
  readonly maxSizeBytes: number;
  /** Over all artifacts of the instance. */
  readonly quotaBytes: number;
  readonly ttlMs: number | null;
};

export type ArtifactFailure = {
  readonly reason: RunReason;
  readonly message: string;
  /** The step that named the file; null where none did. */
  readonly stepId: string | null;
};

export type Collected = {
  readonly artifacts: readonly NewArtifact[];
  readonly warnings: readonly ArtifactWarning[];
  /** In the workspace: what was found, kept or not. */
  readonly places: ReadonlySet<BytePath>;
  /** Why what ended well is a failed run all the same. */
  readonly failure: ArtifactFailure | null;
};

export async function collect(o: {
  readonly workspaceDir: string;
  /** In the order in which their names count. */
  readonly namers: readonly Namer[];
  /** Which step a file is from that nobody named; null where that cannot be told. */
  readonly stepOf: (change: LastChange) => string | null;
  /** The files may become the artifacts themselves: the workspace is removed next, and nobody else holds on to them. */
  readonly mayLink: boolean;
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
    namers: o.namers,
    patterns: o.job.artifacts.paths,
  });
  const warnings = found.warnings.map((warning) => ({ ...warning, text: o.redactor.text(warning.text) }));
  const tooLarge = found.files.find((file) => file.sizeBytes > o.limits.maxSizeBytes);
  if (tooLarge) {
    const message = `the artifact ${tooLarge.path} has ${tooLarge.sizeBytes} bytes; persistence.artifacts.max_size is ${o.limits.maxSizeBytes}`;
    return { ...failed('artifact_too_large', message, tooLarge, o), warnings, places: found.places };
  }
  return { ...(await keep(found.files, o)), warnings, places: found.places };
}

function failed(
  reason: RunReason,
  message: string,
  file: FoundArtifact | undefined,
  { redactor }: { readonly redactor: Redactor },
): Pick<Collected, 'artifacts' | 'failure'> {
  const stepId = file?.namer?.stepId ?? null;
  return { artifacts: [], failure: { reason, message: redactor.text(message), stepId } };
}

/** All of the files, or none and why. */
async function keep(
  found: readonly FoundArtifact[],
  o: Parameters<typeof collect>[0],
): Promise<Pick<Collected, 'artifacts' | 'failure'>> {
  const { store, limits, redactor } = o;
  const createdAtMs = o.clock.now();
  const ttlMs = o.job.artifacts.ttlMs ?? limits.ttlMs;
  const files = found.map((file) => ({ ...file, id: createId('artifact', createdAtMs) }));
  const room = await store.artifacts.takeRoom(files, limits.quotaBytes);
  if (room.kind === 'full') {
    const first = files.find(({ id }) => id === room.id);
    const message = `the artifact ${first?.path} would pass persistence.artifacts.quota_hard of ${limits.quotaBytes} bytes; ${room.usedBytes} are taken`;
    return failed('quota_exceeded', message, first, o);
  }

  const staged: NewArtifact[] = [];
  for (const file of files) {
    try {
      const blob = await store.artifacts.stage(file.hostPath, {
        id: file.id,
        within: o.workspaceDir,
        mayLink: o.mayLink,
      });
      staged.push({
        ...blob,
        runId: o.run.run_id,
        jobId: o.run.job_id,
        tenant: o.run.tenant,
        stepId: file.namer ? file.namer.stepId : o.stepOf(file.change),
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
      return failed('artifact_not_stored', message, file, o);
    }
  }
  return { artifacts: staged, failure: null };
}

/** What is left of one that held a secret is none. */
function openMediaType(redacted: string): string {
  return isMediaType(redacted) ? redacted : 'application/octet-stream';
}
