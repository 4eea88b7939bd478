// Warns of probable errors in the scripts of a valid job: a `#!` line that names another language than the one with
// which flwd starts the script, Windows line endings, and code that `bash -n` cannot parse.

import { execFile } from 'node:child_process';
import { extname, join, normalize } from 'node:path';
import type { UlcProfile } from '../../domain/command-action.ts';
import type { JobDefinition, JobError } from '../../domain/job.ts';
import { firstLineOf } from '../../lib/files/first-line.ts';

const longestBashMs = 10_000;
const mostBashErrors = 3;

type Language = { readonly endings: readonly string[]; readonly program: RegExp };

const languages: Partial<Record<UlcProfile, Language>> = {
  'ulc.shell.bash': { endings: ['.sh', '.bash'], program: /^(?:ba|da|a)?sh$/ },
  'ulc.python.3': { endings: ['.py'], program: /^python(?:3(?:\.\d+)?)?$/ },
  'ulc.node': { endings: ['.js', '.mjs', '.cjs'], program: /^node(?:js)?$/ },
};

/** @param dir the job's folder */
export async function scriptWarnings({ steps }: JobDefinition, dir: string): Promise<JobError[]> {
  const profileOf = new Map(
    steps.flatMap(({ action }): [string, UlcProfile][] =>
      action.kind === 'command' ? [[normalize(action.command[0] ?? ''), action.ulcProfile]] : [],
    ),
  );
  return (await Promise.all([...profileOf].map(([file, profile]) => warningsOf(dir, file, profile)))).flat();
}

async function warningsOf(dir: string, file: string, profile: UlcProfile): Promise<JobError[]> {
  const firstLine = firstLineOf(join(dir, file));
  // Python and Node.js accept such a file, but the kernel does not find an interpreter whose name ends with \r.
  if (
    firstLine.endsWith('\r') &&
    (profile === 'ulc.shell.bash' || (profile === 'ulc.exec' && firstLine.startsWith('#!')))
  ) {
    const message = 'the script has Windows line endings: save it with Unix line endings, for example with `dos2unix`';
    return [{ file, line: 1, column: 1, message }];
  }
  const language = languages[profile];
  // If the file name has any other ending, the job file must name the language itself.
  const ending = extname(file);
  const program = language?.endings.includes(ending) ? programOf(firstLine) : undefined;
  if (program === undefined || language?.program.test(program))
    return profile === 'ulc.shell.bash' ? readWithBash(dir, file) : [];
  const why = `its \`#!\` line names ${program}, but flwd runs the file as ${profile}, because of the ending ${ending}`;
  const other = Object.entries(languages).find(([, { program: pattern }]) => pattern.test(program))?.[0] ?? 'ulc.exec';
  return [{ file, line: 1, column: 1, message: `${why}: rename the file, or set \`ulc_profile: ${other}\`` }];
}

/** `#!/usr/bin/env -S python3 -u` → python3; undefined without such a line. */
function programOf(firstLine: string): string | undefined {
  return /^#!\s*(?:\S*\/env\s+(?:-\S+\s+|\w+=\S*\s+)*)?(?:\S*\/)?(\S+)/.exec(firstLine)?.[1];
}

/** Returns no warnings if there is no bash. */
function readWithBash(dir: string, file: string): Promise<JobError[]> {
  const path = join(dir, file);
  // The script may enable extglob, which `bash -n` does not see. BASH_ENV is not passed on.
  const words = ['-O', 'extglob', '-n', '--', path];
  const options = { timeout: longestBashMs, env: { PATH: process.env.PATH, LC_ALL: 'C' } };
  return new Promise((resolve) => {
    execFile('bash', words, options, (_, __, said) => {
      const found = said.split('\n').flatMap((line): JobError[] => {
        const [, number, message] = /: line (\d+): (.*)$/.exec(line) ?? [];
        // Bash repeats the faulty code on a second line.
        if (number === undefined || message === undefined || /^`.*'$/.test(message)) return [];
        return [{ file, line: Number(number), column: 1, message: `bash: ${message}` }];
      });
      resolve(found.slice(0, mostBashErrors));
    });
  });
}
