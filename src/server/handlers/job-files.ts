// Shows the files of a job as they are now, and as its last runs used them. The copies that runs used are kept only for
// some time.

import { existsSync } from 'node:fs';
import { type Catalog, findReached, type JobFolder } from '../../catalog/catalog.ts';
import { hashEach, listSnapshot, readJobText } from '../../catalog/source/job-content.ts';
import type { JobFile } from '../../catalog/source/job-state.ts';
import { holdsScope, type Principal } from '../../domain/principal.ts';
import { Problem } from '../../domain/problem.ts';
import { toTimestamp } from '../../lib/clock.ts';
import type { RunReading } from '../../store/reading.ts';
import type { Handlers } from '../exchange.ts';

const runsLookedAt = 100;

type Found = {
  readonly revision: string;
  readonly current: string;
  /** No file outside this folder is read. */
  readonly root: string;
  readonly files: readonly JobFile[];
};

export function createJobFileHandlers(o: {
  readonly catalog: Catalog;
  readonly runs: Pick<RunReading, 'usedRevisions'>;
  readonly dirOf: (revision: string) => string;
}): Pick<Handlers, 'listJobFiles' | 'getJobFile'> {
  const { catalog, dirOf } = o;

  /** Finds a job even if it is invalid, because people need its files to fix it. */
  function findJob(idOrAlias: string, principal: Principal): JobFolder {
    return findReached(idOrAlias, principal, { find: (id) => catalog.findFolder(id) });
  }

  function usedRevisions({ definition }: JobFolder, principal: Principal): ReturnType<RunReading['usedRevisions']> {
    if (!holdsScope(principal, 'runs:read')) return Promise.resolve([]);
    return o.runs.usedRevisions(definition.id, runsLookedAt, principal);
  }

  async function find(job: JobFolder, asked: string | undefined, principal: Principal): Promise<Found> {
    const current = await catalog.revisionOf(job);
    if (asked === undefined || asked === current)
      return { revision: current, current, root: job.source.path, files: await catalog.filesOf(job) };
    const { id } = job.definition;
    // A revision of another job must not be readable as a revision of this job.
    const isOfJob = (await usedRevisions(job, principal)).some(({ revision }) => revision === asked);
    const files = isOfJob ? await listSnapshot(dirOf(asked)) : undefined;
    if (files) return { revision: asked, current, root: dirOf(asked), files };
    throw new Problem(
      'revision-expired',
      isOfJob
        ? `The files of '${id}' at the revision '${asked}' are no longer kept.`
        : `None of the last ${runsLookedAt} runs of '${id}' used the revision '${asked}'.`,
    );
  }

  return {
    async listJobFiles({ request, path, query }) {
      const job = findJob(path.job_id, request.principal);
      const { revision, current, root, files } = await find(job, query.revision, request.principal);
      const hashed = await hashEach(root, files);
      const used = await usedRevisions(job, request.principal);
      return {
        job_id: job.definition.id,
        revision,
        current_revision: current,
        files: hashed.map(({ path: name, sizeBytes, isExecutable, sha256 }) => ({
          path: name,
          size_bytes: sizeBytes,
          executable: isExecutable,
          sha256,
        })),
        revisions: used.map((one) => ({
          revision: one.revision,
          run_id: one.runId,
          used_at: toTimestamp(one.createdAtMs),
          kept: one.revision === current || existsSync(dirOf(one.revision)),
        })),
      };
    },

    async getJobFile({ request, path, query }) {
      const job = findJob(path.job_id, request.principal);
      const { revision, root, files } = await find(job, query.revision, request.principal);
      const file = files.find((one) => one.path === query.path);
      const content = file && (await readJobText(root, file));
      if (!content)
        throw new Problem('job-file-not-found', `The job '${job.definition.id}' has no file '${query.path}'.`);
      return {
        job_id: job.definition.id,
        revision,
        path: file.path,
        size_bytes: file.sizeBytes,
        executable: file.isExecutable,
        ...content,
      };
    },
  };
}
