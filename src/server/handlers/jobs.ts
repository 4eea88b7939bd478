// Lists jobs, including invalid ones, and shows one job in full.

import { LRUCache } from 'lru-cache';
import { type Catalog, type CatalogEntry, findReached } from '../../catalog/catalog.ts';
import type { QueryOf } from '../../contract/operations.ts';
import type { SecurityProfile } from '../../domain/job.ts';
import { holdsScope, type Reach } from '../../domain/principal.ts';
import type { Clock } from '../../lib/clock.ts';
import type { RunReading } from '../../store/reading.ts';
import { type StoredAnswer, sendStored, toStoredAnswer } from '../answers/stored-answer.ts';
import type { Handlers } from '../exchange.ts';
import { createJobViews } from './job-views.ts';

const cachedChars = 16 * 1024 * 1024;
/** How long a job's revision is cached. So the files of a job are examined at most 4 times a second. */
const revisionAgeMs = 250;
/** The default limit with `last_runs` or `include`, which make each job of the list larger. */
const pageWithMore = 100;

type Query = Omit<QueryOf<'listJobs'>, 'last_runs'>;
type Detail = { readonly answer: StoredAnswer; readonly revision: string; readonly checkedAtMs: number };

export function createJobHandlers(o: {
  readonly catalog: Catalog;
  readonly runs: Pick<RunReading, 'last'>;
  readonly defaultProfile: SecurityProfile;
  readonly clock: Clock;
}): Pick<Handlers, 'listJobs' | 'getJob'> {
  const { catalog, clock } = o;
  const views = createJobViews(o);
  const lists = new LRUCache<string, StoredAnswer>({ maxSize: cachedChars });
  const details = new WeakMap<CatalogEntry, Detail>();

  async function detailOf(entry: CatalogEntry): Promise<StoredAnswer> {
    const known = details.get(entry);
    const checkedAtMs = clock.now();
    const revision = await catalog.revisionOf(entry);
    const answer = known?.revision === revision ? known.answer : toStoredAnswer(views.detail(entry, revision));
    details.set(entry, { answer, revision, checkedAtMs });
    return answer;
  }

  function stored(query: Query, reach: Reach): StoredAnswer {
    if (reach.jobs) return toStoredAnswer(views.list(query, reach));
    const key = `${catalog.generation} ${JSON.stringify(query)}`;
    const known = lists.get(key);
    if (known) return known;
    const answer = toStoredAnswer(views.list(query, reach));
    lists.set(key, answer, { size: answer.text.length });
    return answer;
  }

  async function withLastRuns(query: Query, most: number, reach: Reach): Promise<StoredAnswer> {
    const { jobs, ...rest } = views.list(query, reach);
    const jobIds = jobs.map(({ id }) => id);
    const last = await o.runs.last(jobIds, most, reach);
    return toStoredAnswer({ jobs: jobs.map((job) => ({ ...job, last_runs: last.get(job.id) ?? [] })), ...rest });
  }

  return {
    listJobs({ request, reply, query }) {
      const { last_runs: most, ...rest } = query;
      const isLarge = most !== undefined || rest.include !== undefined;
      const asked = isLarge ? { limit: pageWithMore, ...rest } : rest;
      const { principal } = request;
      if (most === undefined || !holdsScope(principal, 'runs:read'))
        return sendStored(request, reply, stored(asked, principal));
      return withLastRuns(asked, most, principal).then((answer) => sendStored(request, reply, answer));
    },

    getJob({ request, reply, path }) {
      const entry = findReached(path.job_id, request.principal, catalog);
      const known = details.get(entry);
      if (known && clock.now() - known.checkedAtMs < revisionAgeMs) return sendStored(request, reply, known.answer);
      return detailOf(entry).then((answer) => sendStored(request, reply, answer));
    },
  };
}
