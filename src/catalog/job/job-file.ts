// One job's config.yaml → its definition, or every fault in it with file, line and column. Never throws for what a file
// holds.

import type { JobDefinition, JobFault } from '../../domain/job.ts';
import type { Pace } from '../../lib/pace.ts';
import type { Ignore } from '../source/ignore.ts';
import type { ConfigFile } from '../source/job-files.ts';
import { readSourceFile } from '../source/source-file.ts';
import { childOf } from '../source/source-path.ts';
import { faultLimit, faultText, type MemberFault } from './config-fault.ts';
import { checkConfig } from './config-schema.ts';
import { parseConfigText } from './config-text.ts';
import { findFaults, toDefinition } from './job-definition.ts';
import { jobIdOf, printable, whatIsWrongWithId } from './job-id.ts';
import { soundPart } from './sound-part.ts';

const sizeLimitBytes = 256 * 1024;

export type JobFileInput = {
  readonly source: { readonly name: string; readonly path: string; readonly mountPath: string };
  /** The job's directory relative to the source; `''` for its root. */
  readonly path: string;
  /** Those that are there: one, or both. */
  readonly configFiles: readonly ConfigFile[];
  readonly ignore: Ignore;
  readonly pace: Pace;
};

export async function readJobFile(input: JobFileInput): Promise<JobDefinition | readonly JobFault[]> {
  const { source, path, configFiles } = input;
  const [name = 'config.yaml'] = configFiles;
  const file = childOf(path, name);
  const faultAt = (message: string, place = { line: 1, column: 1 }): JobFault => ({
    file: printable(file),
    ...place,
    message,
  });

  const id = jobIdOf(source.mountPath, path);
  const wrongId = whatIsWrongWithId(id);
  if (wrongId !== undefined) return [faultAt(wrongId)];
  if (configFiles.length > 1)
    return [faultAt('there are config.yaml and config.d/config.yaml: only one can be the job')];
  const read = readSourceFile(source.path, file, sizeLimitBytes);
  if ('message' in read) return [faultAt(`config.yaml ${read.message}`)];
  const parsed = await parseConfigText(read.text, input.pace);
  if (!('value' in parsed)) return parsed.map(({ message, ...place }) => faultAt(message, place));
  if (parsed.value === null) return [faultAt('config.yaml is empty: a job needs at least a `command`')];

  const toJobFaults = (faults: readonly MemberFault[]) =>
    faults
      .slice(0, faultLimit)
      .map((fault) => faultAt(faultText(fault), parsed.placeOf(fault.path, fault.spot)))
      .toSorted((a, b) => a.line - b.line || a.column - b.column);
  const checked = checkConfig(parsed.value);
  const place = { root: source.path, path, ignore: input.ignore };
  if ('faults' in checked) {
    const part = soundPart(parsed.value, checked.faults);
    return toJobFaults([...checked.faults, ...(part ? await findFaults(part, id, place) : [])]);
  }
  const job = await toDefinition(checked.config, { id, source: source.name, path: path === '' ? '.' : path }, place);
  return 'faults' in job ? toJobFaults(job.faults) : job.definition;
}
