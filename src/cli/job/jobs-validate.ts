// `flwd jobs validate`: checks jobs, or folders of jobs, and prints everything that is wrong with them.

import { existsSync, globSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import type { JobDefinition, JobError } from '../../domain/job.ts';
import { folderTrouble } from '../../lib/files/readable-folder.ts';
import { shellWord } from '../../lib/shell-word.ts';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes, Refusal } from '../exit-code.ts';
import { ownName } from '../own-name.ts';
import { createOutput } from '../terminal/output.ts';
import { placed } from './known-jobs.ts';
import { literalWarnings } from './literal-warnings.ts';
import { permissionWarnings } from './permission-warnings.ts';
import { programWarnings } from './program-warnings.ts';
import { scriptWarnings } from './script-warnings.ts';

export async function run(options: Options, dirs: readonly string[]): Promise<ExitCode> {
  if (dirs.length === 0) throw new Refusal(`${ownName} jobs validate needs a folder: ${ownName} jobs validate DIR…`);
  const output = createOutput(options);
  for (const dir of dirs) assertFolder(dir);
  const read = await Promise.all(dirs.map(validateFolder));
  const valid = read.flatMap((one) => one.valid);
  const invalid = read.flatMap((one) => one.invalid);
  const warnings = read.flatMap((one) => one.warnings);
  const empty = dirs.filter((_, at) => read[at]?.valid.length === 0 && read[at].invalid.length === 0);
  if (output.isJson) output.json({ valid, invalid, warnings });
  else {
    for (const { errors } of invalid) for (const error of errors) output.warn(placed(error));
    for (const warning of warnings) output.warn(`warning: ${placed(warning)}`);
    const broken = invalid.length > 0 ? `, ${invalid.length} broken` : '';
    if (empty.length < dirs.length)
      output.text(`${valid.length} ${valid.length === 1 ? 'job is' : 'jobs are'} valid${broken}\n`);
  }
  for (const dir of empty) output.warn(emptyWords(dir));
  if (invalid.length > 0) return exitCodes.wrongUse;
  return empty.length > 0 ? exitCodes.notFound : exitCodes.done;
}

function emptyWords(dir: string): string {
  const [misnamed] = globSync(['config.yml', '*/config.yml', '*/*/config.yml'], { cwd: dir });
  if (misnamed !== undefined) return `no jobs in ${dir}: rename ${join(dir, misnamed)} to config.yaml`;
  const example = join(dir, 'hello');
  return (
    `no jobs in ${dir}: each job is a folder with a config.yaml, such as ${join(example, 'config.yaml')}; ` +
    `${ownName} init ${shellWord(example)} creates one`
  );
}

function assertFolder(dir: string): void {
  const trouble = folderTrouble(dir);
  if (trouble === 'missing') throw new Refusal(`there is no folder ${dir}`);
  if (trouble === 'other') throw new Refusal(`${dir} is not a folder`);
  if (trouble)
    throw new Refusal(
      `${dir} cannot be read: you need permission to read and enter this folder, and to enter the folders above it`,
    );
}

type Validated = {
  readonly valid: readonly { readonly id: string; readonly path: string }[];
  readonly invalid: readonly { readonly id: string; readonly path: string; readonly errors: readonly JobError[] }[];
  /** Warnings about the scripts, programs and permissions of valid jobs. */
  readonly warnings: readonly JobError[];
};

/** All paths begin with the folder as it was typed. */
async function validateFolder(dir: string): Promise<Validated> {
  const { readJobFolder } = await import('../../sources.ts');
  const { jobs, invalid } = await readJobFolder(resolve(dir), isJob(dir) ? basename(resolve(dir)) : '.');
  const errorsOf = (tests: (typeof jobs)[number]['tests']) => (tests && 'errors' in tests ? tests.errors : []);
  const broken = [
    ...invalid,
    ...jobs.map(({ definition: { id, path }, tests }) => ({ id, path, errors: errorsOf(tests) })),
  ].filter(({ errors }) => errors.length > 0);
  const warnings: JobError[] = [];
  for (const { definition } of jobs)
    for (const warning of await warningsOf(definition, join(dir, definition.path)))
      warnings.push({ ...warning, file: join(dir, definition.path, warning.file) });
  return {
    warnings,
    valid: jobs
      .filter(({ tests }) => errorsOf(tests).length === 0)
      .map(({ definition: { id, path } }) => ({ id, path: join(dir, path) })),
    invalid: broken.map(({ id, path, errors }) => ({
      id,
      path: join(dir, path),
      errors: errors.map((error) => ({ ...error, file: join(dir, error.file) })),
    })),
  };
}

async function warningsOf(definition: JobDefinition, dir: string): Promise<JobError[]> {
  return [
    ...permissionWarnings(definition, dir),
    ...programWarnings(definition, dir),
    ...literalWarnings(definition, dir),
    ...(await scriptWarnings(definition, dir)),
  ];
}

/** The folder is a job itself. Its id is then the folder's name, because nobody knows where it will be mounted. */
function isJob(dir: string): boolean {
  return ['config.yaml', 'config.d/config.yaml'].some((file) => existsSync(join(dir, file)));
}
