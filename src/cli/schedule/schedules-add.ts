// `flwd schedules add JOB --cron …`: makes a job run on a schedule, or prints when it would run.

import type { Client } from '../../client/client.ts';
import type { BodyOf } from '../../contract/operations.ts';
import { type ArgumentField, argumentFields } from '../../domain/argument-fields.ts';
import { flagOf } from '../../domain/argument-flags.ts';
import { catchUps } from '../../domain/job.ts';
import { startWords } from '../../lib/cron/start-words.ts';
import { defined } from '../../lib/defined.ts';
import type { Options } from '../command.ts';
import type { Call } from '../command-line.ts';
import { Refusal } from '../exit-code.ts';
import { argumentErrors } from '../explained.ts';
import { readArguments, sharedWords, type WordError } from '../job/argument-words.ts';
import { findJob } from '../job/find-job.ts';
import { type Job, jobsOf } from '../job/known-jobs.ts';
import { readChoice, readCount, readLabels, readValue } from '../option-values.ts';
import { ownName } from '../own-name.ts';
import { assertSound, missingFields, readBase, toJson, toMissing } from '../run/run-request.ts';
import { withSession } from '../session/session.ts';
import { createOutput, type Output } from '../terminal/output.ts';
import { noteNoServer } from './schedules.ts';

export async function run(options: Options, operands: readonly string[], call: Call): Promise<void> {
  if (operands.length === 0 || (!options.has('cron') && !options.has('at')))
    throw new Refusal(
      `${ownName} schedules add needs a job and a time: ${ownName} schedules add JOB --cron '0 3 * * *', or '*/5 * * * *' for every 5 minutes`,
    );
  const output = createOutput(options);
  const fires = readCount(options, 'next');
  return withSession(options, async (session) => {
    const { client } = session;
    const job = await findJob(jobsOf(session), operands, false);
    const body = await readRequest(job, call, { client, output });
    if (fires !== undefined) {
      const preview = await client.call('previewSchedule', { query: { fires }, body });
      if (output.isJson) output.json(preview);
      else {
        const start = startWords.get(body.cron ?? '');
        const times = start === undefined ? preview.next_fires.map(({ local }) => local) : [start];
        output.text(times.map((time) => `${time}\n`).join(''));
      }
      return;
    }
    const schedule = await client.call('createSchedule', { body });
    if (output.isJson) output.json(schedule);
    else output.text(`${schedule.id}\n`);
    const [next] = schedule.next_fires;
    const when = next ? `at ${next.local}` : startWords.get(schedule.cron ?? '');
    if (when !== undefined) output.say(`${schedule.job_id} runs ${schedule.at === null ? 'next' : 'once'} ${when}`);
    const refusal = await refusalOfRun(body, client);
    if (refusal !== undefined) output.warn(`warning: a run with these arguments would be refused now: ${refusal}`);
    noteNoServer(session, output);
  });
}

/** What a run would lack now, such as a path or a secret. It may exist when the schedule starts the run. */
async function refusalOfRun(
  { job_id, args = {}, tenant }: BodyOf<'createSchedule'>,
  client: Client,
): Promise<string | undefined> {
  try {
    const { denied } = await client.call('createPlan', { body: { job_id, args, ...defined({ tenant }) } });
    return denied?.detail;
  } catch (error) {
    // The schedule exists. Without the plan, for which the token may lack a scope, there is nothing to warn of.
    const lines = argumentErrors(error).map(({ line }) => line);
    return lines.length > 0 ? lines.join('; ') : undefined;
  }
}

/** @throws Refusal */
async function readRequest(
  job: Job,
  call: Call,
  { client, output }: { readonly client: Client; readonly output: Output },
): Promise<BodyOf<'createSchedule'>> {
  const { options } = call;
  const fields = argumentFields(job.args);
  const read = readArguments(fields, call, await readBase(options), output.warn);
  const terms = defined({
    cron: readValue(options, 'cron'),
    at: readValue(options, 'at'),
    calendar: options.get('calendar')?.slice(),
    except: options.get('except')?.slice(),
    timezone: readValue(options, 'timezone'),
    catch_up: readChoice(options, 'catch-up', catchUps),
    jitter: readValue(options, 'jitter'),
    name: readValue(options, 'name'),
    tenant: readValue(options, 'tenant'),
    labels: readLabels(options),
    heartbeat: readHeartbeat(options),
  });
  const request = { job_id: job.id, args: toJson(read.args), ...terms };
  const errors = [...sharedWords(fields, call), ...read.errors];
  const missing = missingFields(fields, request.args, errors).map(toMissingHere);
  await assertSound([...errors, ...missing], () => client.call('previewSchedule', { body: request }));
  return request;
}

/** A schedule keeps only the name of a secret. */
function toMissingHere(field: ArgumentField): WordError {
  if (field.kind !== 'secret') return toMissing(field);
  return { path: field.path, message: `${flagOf(field)} is missing: ${flagOf(field)}.stored NAME` };
}

/** @throws Refusal */
function readHeartbeat(options: Options): BodyOf<'createSchedule'>['heartbeat'] {
  const [url, secret] = [readValue(options, 'heartbeat'), readValue(options, 'heartbeat-secret')];
  if (url !== undefined && secret !== undefined)
    throw new Refusal('--heartbeat and --heartbeat-secret must not be used together');
  return secret === undefined ? url : { secret };
}
