// `flwd triggers`: lists the triggers and their results.

import { join } from 'node:path';
import type { AnswerOf } from '../../contract/operations.ts';
import { triggerFailing } from '../../domain/trigger/job-trigger.ts';
import { isTriggersPaused } from '../../domain/trigger/paused.ts';
import { lacksWords } from '../../domain/trigger/webhook-notes.ts';
import { defined } from '../../lib/defined.ts';
import { formatDuration } from '../../lib/units.ts';
import type { Options } from '../command.ts';
import { assertKnownJob } from '../job/find-job.ts';
import { jobsOf } from '../job/known-jobs.ts';
import { oneOperand, readValue } from '../option-values.ts';
import { ownName } from '../own-name.ts';
import { withSession } from '../session/session.ts';
import { createOutput, flexible, type Output } from '../terminal/output.ts';

type Trigger = AnswerOf<'listTriggers'>['triggers'][number];
type Result = AnswerOf<'listTriggerResults'>['results'][number];

/** `flwd triggers`: lists the triggers, each with its last result. */
export async function list(options: Options): Promise<void> {
  const output = createOutput(options);
  const query = defined({ job_id: readValue(options, 'job') });
  return withSession(options, async (session) => {
    const found = await session.client.call('listTriggers', { query });
    if (found.triggers.length === 0) await assertKnownJob(jobsOf(session), query.job_id);
    if (output.isJson) output.json(found);
    else if (found.triggers.length === 0) output.say('no triggers');
    else await printTriggers(found.triggers, output);
  });
}

/** `flwd triggers results TRIGGER` */
export async function results(options: Options, operands: readonly string[]): Promise<void> {
  const output = createOutput(options);
  const id = oneOperand(operands, `${ownName} triggers results TRIGGER; ${ownName} triggers lists the triggers`);
  return withSession(options, async ({ client }) => {
    const found = await client.call('listTriggerResults', { path: { trigger_id: id } });
    if (output.isJson) output.json(found);
    else if (found.results.length === 0) output.say('no results yet');
    else {
      await output.table(
        ['RESULT', flexible('AFTER'), 'RUN', flexible('WHY')],
        found.results.map((one) => [resultOf(one, output), whatItWas(one), one.run_id ?? '-', one.detail ?? '']),
      );
    }
  });
}

async function printTriggers(triggers: readonly Trigger[], output: Output): Promise<void> {
  await output.table(
    ['ID', flexible('AFTER'), 'ON', flexible('JOB'), flexible('IF'), 'LAST RESULT', flexible('WHY')],
    triggers.map((trigger) => [
      trigger.id,
      whatItFollows(trigger),
      trigger.on.join(', '),
      trigger.job_id,
      trigger.if ?? '',
      stateOf(trigger, output),
      whyOf(trigger),
    ]),
  );
}

function whatItWas({ after_run: run, path, problem }: Result): string {
  return run ?? path ?? (problem === triggerFailing ? '-' : 'check');
}

function whatItFollows({ job, files, check }: Trigger): string {
  if (files) return join(files.folder, files.match);
  return check ? `${check.command.join(' ')}, every ${formatDuration(check.every_ms)}` : (job ?? '');
}

function whyOf(trigger: Trigger): string {
  const { denied, job, job_exists: exists, missing_secrets: missing, last_look: look, last_result: last } = trigger;
  if (denied) return denied.detail;
  if (!exists) return `there is no job ${job}`;
  if (missing.length > 0) return lacksWords(missing, { source: 'job' });
  return look?.problem ?? last?.detail ?? '';
}

function stateOf(trigger: Trigger, output: Output) {
  const { denied, job_exists: exists, missing_secrets: missing, last_look: look, last_result: last } = trigger;
  if (denied && isTriggersPaused(denied)) return { text: 'paused', style: 'busy' } as const;
  if (denied) return { text: 'not allowed', style: 'bad' } as const;
  if (!exists) return { text: 'no such job', style: 'bad' } as const;
  if (missing.length > 0) return { text: 'no secret', style: 'bad' } as const;
  if (look && look.problem !== null) return { text: `failing ${output.time(look.at)}`, style: 'bad' } as const;
  if (!last && look) return `nothing yet, last checked ${output.time(look.at)}`;
  return last ? resultOf(last, output) : '-';
}

const styles = { started: 'good', refused: 'bad' } as const;

function resultOf({ result, at }: Result, output: Output) {
  return { text: `${result} ${output.time(at)}`, style: styles[result] };
}
