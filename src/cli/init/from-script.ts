// `flwd init --from SCRIPT`: turns one script into a job.

import { join } from 'node:path';
import type { LoadedConfig } from '../../config/load.ts';
import { flagOf } from '../../domain/argument-flags.ts';
import type { Options } from '../command.ts';
import { Refusal } from '../exit-code.ts';
import { oneOperand } from '../option-values.ts';
import { ownName } from '../own-name.ts';
import { loadConfiguration } from '../session/configuration.ts';
import type { Output } from '../terminal/output.ts';
import { describeJob, writeJob } from './job-folder.ts';
import { placeOfScript, sourceFolder, titleOf } from './job-name.ts';
import { needLines, needsOf, securityLines } from './needs.ts';
import type { Asking } from './permission-lines.ts';
import type { Guess } from './script-arguments.ts';
import { jobOfScript } from './script-job.ts';

export type From = {
  readonly options: Options;
  readonly asking: Asking;
  readonly operands: readonly string[];
  readonly name: string | undefined;
  readonly output: Output;
};

export async function fromScript(script: string, o: From): Promise<void> {
  const { options, asking, output } = o;
  const path =
    o.operands.length === 0
      ? placeOfScript(script, sourceFolder(options))
      : oneOperand(o.operands, `${ownName} init --from SCRIPT PATH`);
  const job = jobOfScript(script, o.name ?? titleOf(path), asking);
  await writeJob(path, job.files);
  const required = job.guess.arguments.filter(({ isRequired }) => isRequired);
  const sample = required.flatMap(({ name, schema }) => {
    const flag = flagOf({ path: [name] });
    return schema.format === 'secret' ? [`${flag}.file`, 'FILE'] : [flag, 'VALUE'];
  });
  const loaded = configurationIfAny(options);
  const needs = needsOf(job, asking, loaded?.config.security);
  await describeJob(path, job.files, { options, output, sample, needs });
  const config = join(path, 'config.yaml');
  const doubts = job.guess.doubts.length > 0 ? '; comments there mark what is uncertain' : '';
  output.say(`${foundArguments(job.guess)}: check ${config}${doubts}`);
  for (const line of [...needLines(needs, path), ...securityLines(needs, loaded)]) output.say(line);
}

export function foundArguments({ arguments: all }: Guess): string {
  if (all.length === 0) return 'found no arguments';
  return `guessed ${all.length === 1 ? '1 argument' : `${all.length} arguments`}`;
}

/** Returns undefined if flwd.yaml has an error, which the caller reports elsewhere. */
export function configurationIfAny(options: Options): LoadedConfig | undefined {
  try {
    return loadConfiguration(options);
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}
