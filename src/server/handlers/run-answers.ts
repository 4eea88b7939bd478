// Caches the JSON of runs and of pages of runs until the database changes (ADR 0025).

import { LRUCache } from 'lru-cache';
import { type Reach, reaches } from '../../domain/principal.ts';
import type { RunReading } from '../../store/reading.ts';
import { withExpectedEnd } from '../answers/expected-end.ts';
import type { StoredAnswer } from '../answers/stored-answer.ts';
import type { UsualWork } from '../answers/usual-work.ts';

export type RunFilter = Parameters<RunReading['list']>[0];

export type RunAnswers = {
  /** @throws Problem run-not-found */
  readonly run: (id: string, reach: Reach) => Promise<StoredAnswer>;
  /** @throws Problem validation-error */
  readonly list: (filter: RunFilter, reach: Reach) => Promise<string>;
};

/**
 * The generation of the database. An answer is current as long as the generation has not changed since the answer was
 * read.
 */
type Generation = string | number;
type KnownRun = {
  readonly generation: Generation;
  readonly tenant: string;
  readonly jobId: string;
  readonly answer: StoredAnswer;
  readonly version: number;
};
type KnownPage = { readonly generation: Generation; readonly text: string };

const cachedChars = 8 * 1024 * 1024;

export function createRunAnswers(runs: RunReading, usual: UsualWork): RunAnswers {
  const answers = new LRUCache<string, KnownRun>({ maxSize: cachedChars });
  const pages = new LRUCache<string, KnownPage>({ maxSize: cachedChars });

  async function read(id: string, reach: Reach, version: number): Promise<StoredAnswer> {
    const run = await withExpectedEnd(await runs.get(id, reach), usual);
    return { text: JSON.stringify(run), etag: `"${version}"` };
  }

  async function readPage(filter: RunFilter, reach: Reach): Promise<string> {
    const { runs: listed, total, isTotalExact, nextCursor } = await runs.list(filter, reach);
    const shown = await Promise.all(listed.map((run) => withExpectedEnd(run, usual)));
    return JSON.stringify({ runs: shown, total, total_exact: isTotalExact, next_cursor: nextCursor });
  }

  return {
    async run(id, reach) {
      const cached = answers.get(id);
      // Only callers who may see the run get a cached answer. For others, a fast answer would show that the run exists.
      const known = cached && reaches(reach, cached) ? cached : undefined;
      // The generation is read before the run. If a change is committed in between, the entry gets the old generation,
      // so the next request does not take it for current.
      const generation = await runs.generation();
      if (known?.generation === generation) return known.answer;
      const { version, tenant, jobId } = await runs.version(id, reach);
      const isSame = known?.version === version;
      const answer = isSame ? known.answer : await read(id, reach, version);
      answers.set(id, { generation, tenant, jobId, answer, version }, { size: answer.text.length });
      return answer;
    },

    async list(filter, reach) {
      // The caller may see only some jobs, for example those with a tag. These jobs can change without a change of the
      // database.
      if (reach.jobs) return readPage(filter, reach);
      // For all other callers, the page depends only on the tenant.
      const key = JSON.stringify([reach.tenant, filter]);
      const known = pages.get(key);
      const generation = await runs.generation();
      if (known?.generation === generation) return known.text;
      const text = await readPage(filter, reach);
      pages.set(key, { generation, text }, { size: key.length + text.length });
      return text;
    },
  };
}
