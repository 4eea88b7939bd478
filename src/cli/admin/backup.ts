// `flwd backup DEST`: copies the whole instance, whether its server is running or not.

import { resolve } from 'node:path';
import { sizeWords } from '../../lib/units.ts';
import type { Options } from '../command.ts';
import { type Call, readCommandLine, unknownOption } from '../command-line.ts';
import { type ExitCode, exitCodes, Refusal } from '../exit-code.ts';
import { ownName } from '../own-name.ts';
import { commandText } from '../session/command-text.ts';
import { loadConfiguration } from '../session/configuration.ts';
import { assertInstance, assertOfThisMachine } from '../session/session.ts';

export async function run(options: Options, operands: readonly string[], call: Call): Promise<ExitCode> {
  const job = call.jobWords && (await readJobCall(call.jobWords));
  if (job) return (await import('../run/run.ts')).run(job.options, job.operands, job);
  const [word] = call.argumentWords;
  if (word !== undefined) throw await unknownArgument(call, word);
  const [given, extra] = operands;
  if (given === undefined || extra !== undefined)
    throw new Refusal(`${ownName} backup needs one folder: ${ownName} backup DEST`);
  assertOfThisMachine('backup', options);
  const { config } = loadConfiguration(options);
  assertInstance(config);
  const includesKey = options.has('include-key');
  const { backUp } = await import('../../operator.ts');
  const { files, bytes, missing, damaged } = await backUp(config, { destination: resolve(given), includesKey });
  // `flwd backup daily` may have been meant as a job.
  if (call.jobWords)
    process.stderr.write(
      `no job is named \`${[call.command.name, ...operands].join('/')}\`, so the instance in ${config.instance.dataDir} was copied to ${resolve(given)}\n`,
    );
  if (options.has('json')) {
    const made = { folder: given, files, bytes, missing, damaged, includes_key: includesKey };
    process.stdout.write(`${JSON.stringify(made)}\n`);
    return damaged.length > 0 ? exitCodes.runFailed : exitCodes.done;
  }
  const lines = [
    `copied ${files} files (${sizeWords(bytes)}) from ${config.instance.dataDir} to ${given}; restore them with ${commandText(options, 'restore', given)}`,
  ];
  if (missing > 0) lines.push(`left out ${missing} files that reached the end of their retention during the copy`);
  lines.push(
    includesKey
      ? 'secret.key and notify.key are included: anyone who has this backup can read the secrets and sign notifications'
      : 'secret.key and notify.key are not included (--include-key): keep a copy elsewhere. Without them, stored secrets and secret arguments are lost, and receivers of notifications need a new key',
    'the job sources are not included: back them up yourself',
  );
  process.stdout.write(`${lines.join('\n')}\n`);
  if (damaged.length === 0) return exitCodes.done;
  for (const what of damaged) process.stderr.write(`${what}\n`);
  throw new Refusal(
    `${damaged.length === 1 ? '1 file of the instance is' : `${damaged.length} files of the instance are`} damaged or missing. ` +
      'The backup contains everything that could be read. An earlier backup may have the rest.',
    exitCodes.runFailed,
  );
}

/** With `flwd backup --src /srv`, the user may mean the job `backup`. */
async function unknownArgument({ command, options, argumentWords }: Call, word: string): Promise<Refusal> {
  const [{ isKnownJob }, { withJobs }] = await Promise.all([
    import('../job/find-job.ts'),
    import('../job/known-jobs.ts'),
  ]);
  const { name } = command;
  const isJob = await withJobs(options, (jobs) => isKnownJob(jobs, [name]));
  if (!isJob) return unknownOption(command, word.replace(/=.*$/s, ''));
  // Values are not shown, because one of them may be a secret.
  const named = argumentWords.flatMap((each) =>
    each.startsWith('--') ? [each.replace(/=.*$/s, ''), ...(each.includes('=') ? ['…'] : [])] : ['…'],
  );
  return new Refusal(
    `the command ${ownName} ${name} has no option ${word.replace(/=.*$/s, '')}; to run the job \`${name}\`: ${commandText(options, 'run', name, ...named)}`,
  );
}

/** Returns undefined if no job has this name. `flwd :backup daily` and `flwd backup ./daily` never run a job. */
async function readJobCall(words: readonly string[]): Promise<Call | undefined> {
  const call = readCommandLine(['run', ...words]);
  const [{ isKnownJob }, { withJobs }] = await Promise.all([
    import('../job/find-job.ts'),
    import('../job/known-jobs.ts'),
  ]);
  return (await withJobs(call.options, (jobs) => isKnownJob(jobs, call.operands))) ? call : undefined;
}
