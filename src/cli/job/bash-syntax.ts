// What bash has against the scripts of a job before one is run: it reads them, and runs nothing.

import { execFile } from 'node:child_process';
import { join, normalize } from 'node:path';
import type { JobDefinition, JobError } from '../../domain/job.ts';

const longestMs = 10_000;
const mostErrors = 3;

/** Of the files that the job starts in bash; none where there is no bash. @param dir the job's own */
export async function bashErrors({ steps }: JobDefinition, dir: string): Promise<JobError[]> {
  const files = steps.flatMap(({ action }) =>
    action.kind === 'command' && action.ulcProfile === 'ulc.shell.bash' ? [normalize(action.command[0] ?? '')] : [],
  );
  return (await Promise.all([...new Set(files)].map((file) => readWithBash(dir, file)))).flat();
}

function readWithBash(dir: string, file: string): Promise<JobError[]> {
  const path = join(dir, file);
  // A script may turn extglob on, which nothing does here. BASH_ENV is not passed on.
  const words = ['-O', 'extglob', '-n', '--', path];
  const options = { timeout: longestMs, env: { PATH: process.env.PATH, LC_ALL: 'C' } };
  return new Promise((resolve) => {
    execFile('bash', words, options, (_, __, said) => {
      const found = said.split('\n').flatMap((line): JobError[] => {
        const [, number, message] = /: line (\d+): (.*)$/.exec(line) ?? [];
        // The second line repeats the one that is meant.
        if (number === undefined || message === undefined || /^`.*'$/.test(message)) return [];
        return [{ file, line: Number(number), column: 1, message: `bash: ${message}` }];
      });
      resolve(found.slice(0, mostErrors));
    });
  });
}
