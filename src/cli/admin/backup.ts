// `flwd backup DEST`: a whole copy of the instance, whether its server runs or not.

import { resolve } from 'node:path';
import { formatSize } from '../../lib/units.ts';
import type { Options } from '../command.ts';
import { type Call, readCommandLine, unknownOption } from '../command-line.ts';
import { type ExitCode, exitCodes, Refusal } from '../exit-code.ts';
import { commandText } from '../session/command-text.ts';
import { loadConfiguration } from '../session/configuration.ts';
import { assertOfThisMachine } from '../session/session.ts';

export async function run(options: Options, operands: readonly string[], call: Call): Promise<ExitCode> {
  const job = call.jobWords && (await readJobCall(call.jobWords));
  if (job) return (await import('../run/run.ts')).run(job.options, job.operands, job);
  const [word] = call.argumentWords;
  if (word !== undefined) throw await unknownArgument(call, word);
  const [given, extra] = operands;
  if (given === undefined || extra !== undefined) throw new Refusal('flwd backup takes one folder: flwd backup DEST');
  assertOfThisMachine('backup', options);
  const { config } = loadConfiguration(options);
  const includesKey = options.has('include-key');
  const { backUp } = await import('../../operator.ts');
  const { files, bytes, missing, damaged } = await backUp(config, { destination: resolve(given), includesKey });
  if (call.jobWords)
    process.stderr.write(
      `copied the instance in ${config.instance.dataDir} to ${resolve(given)}: there is no job \`${[call.command.name, ...operands].join('/')}\`\n`,
    );
  if (options.has('json')) {
    const made = { folder: given, files, bytes, missing, damaged, includes_key: includesKey };
    process.stdout.write(`${JSON.stringify(made)}\n`);
    return damaged.length > 0 ? exitCodes.runFailed : exitCodes.done;
  }
  const lines = [
    `${given} has ${files} files, ${formatSize(bytes)}; ${commandText(options, 'restore', given)} puts them back`,
  ];
  if (missing > 0) lines.push(`${missing} were removed by retention meanwhile and are not in it`);
  lines.push(
    includesKey
      ? 'secret.key and notify.key are in it: whoever has them can read the secrets, and sign notifications'
      : 'secret.key and notify.key are not in it (--include-key): keep a copy elsewhere, or stored secrets and secret arguments are lost, and receivers of notifications need a new key',
    'the sources are not in it: they are yours to keep',
  );
  process.stdout.write(`${lines.join('\n')}\n`);
  if (damaged.length === 0) return exitCodes.done;
  for (const what of damaged) process.stderr.write(`${what}\n`);
  throw new Refusal(
    `${damaged.length === 1 ? '1 file of the instance is' : `${damaged.length} files of the instance are`} damaged or missing. ` +
      'The backup has what could be read of it; an earlier backup may have it whole.',
    exitCodes.runFailed,
  );
}

/** With `flwd backup --src /srv`, the job `backup` may be meant. */
async function unknownArgument({ command, options, argumentWords }: Call, word: string): Promise<Refusal> {
  const [{ isKnownJob }, { withJobs }] = await Promise.all([
    import('../job/find-job.ts'),
    import('../job/known-jobs.ts'),
  ]);
  const { name } = command;
  const isJob = await withJobs(options, (jobs) => isKnownJob(jobs, [name]));
  if (!isJob) return unknownOption(command, word);
  // Without the values: one of them may be a secret.
  const named = argumentWords.flatMap((each) =>
    each.startsWith('--') ? [each.replace(/=.*$/s, ''), ...(each.includes('=') ? ['…'] : [])] : ['…'],
  );
  return new Refusal(
    `flwd ${name} is a command, which has no ${word.replace(/=.*$/s, '')}; there is a job \`${name}\`: ${commandText(options, 'run', name, ...named)}`,
  );
}

/** undefined: no job is called so. `flwd :backup daily`, and `flwd backup ./daily`, are never one. */
async function readJobCall(words: readonly string[]): Promise<Call | undefined> {
  const call = readCommandLine(['run', ...words]);
  const [{ isKnownJob }, { withJobs }] = await Promise.all([
    import('../job/find-job.ts'),
    import('../job/known-jobs.ts'),
  ]);
  return (await withJobs(call.options, (jobs) => isKnownJob(jobs, call.operands))) ? call : undefined;
}
