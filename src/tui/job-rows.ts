// The list of jobs as rows: those that cannot be started stand among the others, with what is wrong with them.

import type { AnswerOf } from '../contract/operations.ts';

export type JobRow = {
  readonly id: string;
  readonly title: string;
  readonly tags: readonly string[];
  readonly isEnabled: boolean;
  /** Of a job that is invalid. */
  readonly error: string | null;
};

/** By id; those with the text in id, title, description or tags. */
export function jobRows({ jobs, invalid }: AnswerOf<'listJobs'>, search: string): JobRow[] {
  const wanted = search.toLowerCase();
  const has = (...texts: readonly (string | null)[]): boolean =>
    texts.some((text) => text?.toLowerCase().includes(wanted));
  const valid = jobs
    .filter((job) => has(job.id, job.title, job.description, ...job.tags, ...job.aliases))
    .map((job): JobRow => {
      const { id, title, description, tags, enabled } = job;
      return { id, title: title ?? description ?? '', tags, isEnabled: enabled, error: null };
    });
  const broken = invalid
    .filter(({ id }) => has(id))
    .map(({ id, errors }): JobRow => {
      const [first] = errors;
      const error = first ? `${first.file}:${first.line}: ${first.message}` : 'is invalid';
      return { id, title: '', tags: [], isEnabled: false, error };
    });
  return [...valid, ...broken].toSorted((a, b) => (a.id < b.id ? -1 : 1));
}
