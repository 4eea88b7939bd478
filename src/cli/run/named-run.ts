// The run that a word of a command line names: by its id, by the part of it that no other recent run shares, or, where that
// cannot hit the wrong one badly, as the last of a job.

import { exitCodes, Refusal } from '../exit-code.ts';
import type { Session } from '../session/session.ts';
import type { Output } from '../terminal/output.ts';

const wholeId = /^run_[0-9A-Z]{26}$/;
const partOfId = /^(?:run_)?[0-9A-Z]+$/i;
const shortestPart = 8;
/** An id is looked for among so many runs, the newest. */
const recent = 1_000;

/**
 * What nothing is found for stays as it is: the API says what is wrong with it.
 * @param o.orLastOf the word may be a job: its last run is meant, and said so
 * @throws Refusal where several runs are meant, or a job's name does not do
 */
export async function findRunId(
  { client, command }: Session,
  word: string,
  { output, orLastOf = false }: { readonly output: Output; readonly orLastOf?: boolean },
): Promise<string> {
  if (wholeId.test(word)) return word;
  if (partOfId.test(word) && word.length >= shortestPart) {
    const { runs } = await client.call('listRuns', { query: { limit: recent } });
    const part = word.toLowerCase();
    const [first, ...others] = runs.filter(({ run_id: id }) => isPartOf(part, id.toLowerCase()));
    if (first && others.length > 0) {
      const lines = [first, ...others.slice(0, 4)].map((run) => `  ${run.run_id}  ${run.job_id}  ${run.status}`);
      const more = others.length > 4 ? ['  …'] : [];
      throw new Refusal([`${others.length + 1} runs are called ${word}…; which one?`, ...lines, ...more].join('\n'));
    }
    if (first) return first.run_id;
  }
  const { runs } = await client.call('listRuns', { query: { job_id: word, limit: 1 } });
  const [last] = runs;
  if (!last) return word;
  if (!orLastOf) {
    const what = `\`${word}\` is a job, and this takes the id of a run: the last one is ${last.run_id} (${last.status})`;
    throw new Refusal(`${what}; ${command('runs', '--job', word)} lists them`, exitCodes.notFound);
  }
  output.say(`the last run of ${last.job_id} is ${last.run_id}`);
  return last.run_id;
}

/** Its beginning, with `run_` or without, or its end. */
function isPartOf(part: string, id: string): boolean {
  return id.startsWith(part) || id.slice('run_'.length).startsWith(part) || id.endsWith(part);
}
