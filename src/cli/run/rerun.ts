// `flwd rerun RUN`: starts a run again, from its beginning or from a step, as a new run.

import type { AnswerOf, BodyOf } from '../../contract/operations.ts';
import { argumentFields } from '../../domain/argument-fields.ts';
import type { Options } from '../command.ts';
import type { Call } from '../command-line.ts';
import { type ExitCode, Refusal } from '../exit-code.ts';
import { toLines } from '../explained.ts';
import { readArguments, sharedWords } from '../job/argument-words.ts';
import type { Job } from '../job/known-jobs.ts';
import { oneOperand, readValue } from '../option-values.ts';
import { ownName } from '../own-name.ts';
import { withSession } from '../session/session.ts';
import { createOutput, type Output } from '../terminal/output.ts';
import { findRunId } from './named-run.ts';
import { readBase, toJson } from './run-request.ts';
import { startAndWatch, startHeaders } from './started-run.ts';

type Run = AnswerOf<'getRun'>;

export async function run(options: Options, operands: readonly string[], call: Call): Promise<ExitCode> {
  const word = oneOperand(operands, `${ownName} rerun RUN; ${ownName} runs lists the runs`);
  const output = createOutput(options);
  const whole = await readBase(options);
  const headers = startHeaders(options);
  return withSession(options, async (session) => {
    const { client } = session;
    const runId = await findRunId(session, word, { output, orLastOf: true });
    const earlier = await client.call('getRun', { path: { run_id: runId } });
    const job = await client.call('getJob', { path: { job_id: earlier.job_id } }).catch((error: unknown) => {
      // The job is needed here only for options about its arguments. The server says whether the run can be repeated.
      if (call.argumentWords.length > 0) throw error;
      return null;
    });
    const isOld = job !== null && job.revision !== earlier.source.revision && !options.has('latest');
    const args = toJson(job ? readChanges({ call, job, earlier, whole, isOld }, output) : whole);
    const body = { ...readTerms(options), ...(Object.keys(args).length > 0 && { args }) };
    const create = async (): Promise<string> => {
      const { run_id: id } = await client.call('rerunRun', { path: { run_id: runId }, body, headers });
      // Users often rerun a run after they have fixed its job, so they must know that this run still uses the old
      // revision.
      if (isOld)
        output.say(
          'the job has changed since that run: the new run uses the old revision; --latest uses the newest one',
        );
      return id;
    };
    return startAndWatch(session, create, { options, output });
  });
}

function readTerms(options: Options): Pick<BodyOf<'rerunRun'>, 'from' | 'revision'> {
  const from = readValue(options, 'from');
  return {
    ...(from !== undefined && { from: from === 'start' || from === 'failed' ? from : { step: from } }),
    ...(options.has('latest') && { revision: 'latest' }),
  };
}

type Changes = {
  readonly call: Call;
  /** The job as it is now. */
  readonly job: Job;
  readonly earlier: Run;
  /** The value of `--args` or `--args-file`. */
  readonly whole: Record<string, unknown>;
  /** The new run uses the revision of the job that the earlier run used. */
  readonly isOld: boolean;
};

/** The arguments that change. An option for a part of an object keeps its other parts. @throws Refusal */
function readChanges({ call, job, earlier, whole, isOld }: Changes, output: Output): Record<string, unknown> {
  const fields = argumentFields(job.args);
  const before: Record<string, unknown> = earlier.args;
  const read = readArguments(fields, call, { ...before, ...whole }, output.warn);
  const errors = [...sharedWords(fields, call), ...read.errors];
  if (errors.length > 0) {
    const note =
      'these are the arguments of the newest revision of the job; --args takes the arguments of the revision that the earlier run used';
    throw new Refusal(toLines([...errors.map(({ message }) => message), ...(isOld ? [note] : [])]));
  }
  const isGiven = ([name, value]: [string, unknown]): boolean => Object.hasOwn(whole, name) || value !== before[name];
  return Object.fromEntries(Object.entries(read.args).filter(isGiven));
}
