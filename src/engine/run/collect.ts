// Finds the artifacts of a run once its processes are gone. Keeps all of them, or no artifact at all.

import type { JobDefinition } from '../../domain/job.ts';
import { isMediaType } from '../../domain/media-type.ts';
import type { Run, RunReason } from '../../domain/run.ts';
import type { LastChange } from '../../exec/collect/changed-by.ts';
import { type ArtifactWarning, type FoundArtifact, findArtifacts, type Namer } from '../../exec/collect/collect.ts';
import type { BytePath } from '../../exec/collect/sandbox-paths.ts';
import type { Redactor } from '../../exec/redact/redact.ts';
import type { Clock } from '../../lib/clock.ts';
import { unusableFolder } from '../../lib/files/unusable-folder.ts';
import { createId } from '../../lib/ids.ts';
import type { Logger } from '../../lib/logger.ts';
import type { NewArtifact } from '../../store/blobs/artifacts.ts';
import type { Store } from '../../store/open.ts';

export type ArtifactLimits = {
  readonly maxSizeBytes: number;
  /** For all artifacts of this server together. */
  readonly quotaBytes: number;
  readonly ttlMs: number | null;
};

export type ArtifactFailure = {
  readonly reason: RunReason;
  readonly message: string;
  /** The step that named the file; null when no step did. */
  readonly stepId: string | null;
};

export type Collected = {
  readonly artifacts: readonly NewArtifact[];
  readonly warnings: readonly ArtifactWarning[];
  /** Where files were found in the workspace, whether they are kept or not. */
  readonly places: ReadonlySet<BytePath>;
  /** Why the run fails although its steps succeeded. */
  readonly failure: ArtifactFailure | null;
};

/** A run whose files are collected, and where they go. */
export type RunFiles = {
  readonly run: Pick<Run, 'run_id' | 'job_id' | 'tenant'>;
  readonly workspaceDir: string;
  /**
   * If an artifact cannot be stored while one of these folders is unusable, `collect` throws. The run then does not
   * fail: the caller tries again.
   */
  readonly ownFolders: readonly string[];
  readonly redactor: Redactor;
  readonly store: Store;
  readonly limits: ArtifactLimits;
  readonly clock: Clock;
  readonly log: Logger;
};

type Request = RunFiles & {
  readonly job: JobDefinition;
  /** In order of precedence: if two of them name the same file, the first one counts. */
  readonly namers: readonly Namer[];
  /** Returns the step that made a file that no step named; null if that step is unknown. */
  readonly stepOf: (change: LastChange) => string | null;
  /** Whether a file may become the artifact itself: the workspace is removed next, and nobody else uses it. */
  readonly mayLink: boolean;
};

export async function collect(o: Request): Promise<Collected> {
  const found = await findArtifacts({
    workspaceDir: o.workspaceDir,
    namers: o.namers,
    patterns: o.job.artifacts.paths,
  });
  const warnings = found.warnings.map((warning) => ({ ...warning, text: o.redactor.text(warning.text) }));
  const tooLarge = found.files.find((file) => file.sizeBytes > o.limits.maxSizeBytes);
  if (tooLarge) {
    const { maxSizeBytes } = o.limits;
    const limit = `persistence.artifacts.max_size is ${maxSizeBytes}`;
    const message = `the artifact ${tooLarge.path} has ${tooLarge.sizeBytes} bytes; ${limit}`;
    return { ...failed('artifact_too_large', message, tooLarge, o), warnings, places: found.places };
  }
  return { ...(await storeAll(found.files, o)), warnings, places: found.places };
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

/** Keeps all of the files, or keeps no file and says why. */
async function storeAll(
  found: readonly FoundArtifact[],
  o: Request,
): Promise<Pick<Collected, 'artifacts' | 'failure'>> {
  const { store, limits, redactor } = o;
  const createdAtMs = o.clock.now();
  const ttlMs = o.job.artifacts.ttlMs ?? limits.ttlMs;
  const files = found.map((file) => ({ ...file, id: createId('artifact', createdAtMs) }));
  const room = await store.artifacts.takeRoom(files, limits.quotaBytes);
  if (room.kind === 'full') {
    const first = files.find(({ id }) => id === room.id);
    const limit = `persistence.artifacts.quota_hard of ${limits.quotaBytes} bytes`;
    const message = `the artifact ${first?.path} would exceed ${limit}; ${room.usedBytes} are used`;
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
      for (const artifact of staged) await store.artifacts.discard(artifact).catch(() => undefined);
      room.giveBack();
      if (unusableFolder(o.ownFolders) !== null) throw error;
      o.log.error({ err: error, run_id: o.run.run_id }, 'an artifact could not be stored');
      const message = `the artifact ${file.path} could not be stored; the server log says why`;
      return failed('artifact_not_stored', message, file, o);
    }
  }
  return { artifacts: staged, failure: null };
}

/** A media type that contained a secret is no longer a media type after redaction. */
function openMediaType(redacted: string): string {
  return isMediaType(redacted) ? redacted : 'application/octet-stream';
}
