// Turns one job's config.yaml into its definition, or into every error with file, line and column. No content of a file
// makes it throw.

import type { JobDefinition, JobError } from '../../domain/job.ts';
import type { Yielder } from '../../lib/yielder.ts';
import type { Ignore } from '../source/ignore.ts';
import type { ConfigFile } from '../source/job-files.ts';
import { readSourceFile } from '../source/source-file.ts';
import { childOf } from '../source/source-path.ts';
import { errorLimit, errorText, type MemberError } from './config-error.ts';
import { checkConfig } from './config-schema.ts';
import { parseConfigText } from './config-text.ts';
import { findErrors, toDefinition } from './job-definition.ts';
import { jobIdOf, printable, whatIsWrongWithId } from './job-id.ts';
import { soundPart } from './sound-part.ts';

const sizeLimitBytes = 256 * 1024;

export type JobFileInput = {
  readonly source: { readonly name: string; readonly path: string; readonly mountPath: string };
  /** The job's directory relative to the source; `''` for its root. */
  readonly path: string;
  /** The config files that exist: one, or both. */
  readonly configFiles: readonly ConfigFile[];
  readonly ignore: Ignore;
  readonly maybeYield: Yielder;
};

export async function readJobFile(input: JobFileInput): Promise<JobDefinition | readonly JobError[]> {
  const { source, path, configFiles } = input;
  const [name = 'config.yaml'] = configFiles;
  const file = childOf(path, name);
  const errorAt = (message: string, place = { line: 1, column: 1 }): JobError => ({
    file: printable(file),
    ...place,
    message,
  });

  const id = jobIdOf(source.mountPath, path);
  const wrongId = whatIsWrongWithId(id);
  if (wrongId !== undefined) return [errorAt(wrongId)];
  if (configFiles.length > 1)
    return [errorAt('config.yaml and config.d/config.yaml both exist: keep only one of them')];
  const read = readSourceFile(source.path, file, sizeLimitBytes);
  if ('message' in read) return [errorAt(`config.yaml ${read.message}`)];
  const parsed = await parseConfigText(read.text, input.maybeYield);
  if (!('value' in parsed)) return parsed.map(({ message, ...place }) => errorAt(message, place));
  if (parsed.value === null) return [errorAt('config.yaml is empty: a job needs at least a `command`')];

  const toJobErrors = (errors: readonly MemberError[]) =>
    errors
      .slice(0, errorLimit)
      .map((error) => errorAt(errorText(error), parsed.placeOf(error.path, error.spot)))
      .toSorted((a, b) => a.line - b.line || a.column - b.column);
  const checked = checkConfig(parsed.value);
  const place = { root: source.path, path, ignore: input.ignore };
  if ('errors' in checked) {
    const part = soundPart(parsed.value, checked.errors);
    return toJobErrors([...checked.errors, ...(part ? await findErrors(part, id, place) : [])]);
  }
  const job = await toDefinition(checked.config, { id, source: source.name, path: path === '' ? '.' : path }, place);
  return 'errors' in job ? toJobErrors(job.errors) : job.definition;
}
