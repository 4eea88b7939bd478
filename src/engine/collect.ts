// What a script left behind: its result, outputs and artifacts, read after its last process is gone.

import { join } from 'node:path';
import type { JobDefinition, JsonValue } from '../domain/job.ts';
import { stepIdOfSingle } from '../domain/job.ts';
import { isMediaType } from '../domain/media-type.ts';
import type { Run, RunReason } from '../domain/run.ts';
import { findArtifacts } from '../exec/collect.ts';
import { readOutputs } from '../exec/outputs.ts';
import type { Redactor } from '../exec/redact.ts';
import { readResult } from '../exec/results.ts';
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
  readonly result: { value: JsonValue } | null;
  readonly outputs: Record<string, string>;
  readonly artifacts: readonly NewArtifact[];
  readonly warnings: readonly string[];
  /** Why a script that ended well is a failed run all the same. */
  readonly failure: { reason: RunReason; message: string } | null;
};

export async function collect(o: {
  readonly workspaceDir: string;
  readonly attemptDir: string;
  readonly job: JobDefinition;
  readonly run: Pick<Run, 'run_id' | 'job_id' | 'tenant'>;
  readonly redactor: Redactor;
  readonly store: Store;
  readonly limits: ArtifactLimits;
  readonly clock: Clock;
  readonly log: Logger;
}): Promise<Collected> {
  const outDir = join(o.attemptDir, 'out');
  const result = readResult(outDir);
  const outputs = readOutputs(outDir);
  const found = await findArtifacts({ workspaceDir: o.workspaceDir, outDir, patterns: o.job.artifacts.paths });
  const failures: Collected['failure'][] = [];
  for (const part of [result, outputs]) {
    if (part.kind === 'invalid') failures.push({ reason: 'invalid_result', message: o.redactor.text(part.message) });
  }

  const tooLarge = found.files.find((file) => file.sizeBytes > o.limits.maxSizeBytes);
  if (tooLarge) {
    failures.push({
      reason: 'artifact_too_large',
      message: o.redactor.text(
        `the artifact ${tooLarge.path} has ${tooLarge.sizeBytes} bytes; persistence.artifacts.max_size is ${o.limits.maxSizeBytes}`,
      ),
    });
  }
  const kept = failures.length === 0 ? await keep(found.files, o) : { artifacts: [], failure: null };

  return {
    result: result.kind === 'value' ? { value: o.redactor.json(result.value) } : null,
    outputs: outputs.kind === 'outputs' ? o.redactor.json(outputs.outputs) : {},
    artifacts: kept.artifacts,
    warnings: found.warnings.map((warning) => o.redactor.text(warning)),
    failure: failures[0] ?? kept.failure,
  };
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
        stepId: stepIdOfSingle,
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
