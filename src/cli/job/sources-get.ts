// `flwd sources get SOURCE`: shows one source of jobs.

import { nearest } from '../../lib/nearest.ts';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes, Refusal } from '../exit-code.ts';
import { oneOperand } from '../option-values.ts';
import { createOutput } from '../terminal/output.ts';
import { countedSources, trustWords } from './sources.ts';

export async function run(options: Options, operands: readonly string[]): Promise<ExitCode> {
  const name = oneOperand(operands, 'flwd sources get SOURCE; flwd sources lists the sources');
  const output = createOutput(options);
  const { sources } = await countedSources(options);
  const source = sources.find((one) => one.name === name);
  if (!source) {
    const near = nearest(
      name,
      sources.map((one) => one.name),
    );
    const hint = near === undefined ? '; flwd sources lists the sources' : `; did you mean \`${near}\`?`;
    throw new Refusal(`there is no source \`${name}\`${hint}`, exitCodes.notFound);
  }
  if (output.isJson) output.json(source);
  else {
    const rows = Object.entries({
      name,
      type: source.type,
      path: source.path,
      jobs: source.jobs,
      broken: source.invalid,
      trusted: trustWords(source),
    });
    for (const [key, value] of rows) if (value !== undefined) output.text(`${key.padEnd(9)}${value}\n`);
  }
  return exitCodes.done;
}
