// `flwd plan JOB`: shows what a run of a job would do.

import type { Client } from '../../client/client.ts';
import { grantText } from '../../client/grant-text.ts';
import { approvalWords } from '../../client/outlook.ts';
import type { AnswerOf, BodyOf } from '../../contract/operations.ts';
import type { ArgumentField } from '../../domain/argument-fields.ts';
import { sizeWords } from '../../lib/units.ts';
import type { Options } from '../command.ts';
import type { Call } from '../command-line.ts';
import { type ExitCode, exitCodes, Refusal } from '../exit-code.ts';
import { toLines } from '../explained.ts';
import { ownName } from '../own-name.ts';
import { assertSound, readPlanRequest, toJson, toMissing } from '../run/run-request.ts';
import { withSession } from '../session/session.ts';
import { createOutput, type Output } from '../terminal/output.ts';
import { findJob } from './find-job.ts';
import { type Job, jobsOf } from './known-jobs.ts';

type Plan = AnswerOf<'createPlan'>;

export async function run(options: Options, operands: readonly string[], call: Call): Promise<ExitCode> {
  if (operands.length === 0)
    throw new Refusal(`${ownName} plan needs a job: ${ownName} plan JOB; ${ownName} jobs lists the jobs`);
  const output = createOutput(options);
  return withSession(
    options,
    async (session) => {
      const job = await findJob(jobsOf(session), operands, false);
      const { client } = session;
      const { request, missingSecrets } = await readPlanRequest(job, call, { client, output });
      const missing = missingSecrets.map(toMissing);
      const plan = await planWithout(missingSecrets, request, client);
      if (output.isJson) output.json(plan);
      else describe(plan, { job, isComplete: missing.length === 0 }, output);
      const code = plan.denied ? exitCodes.notAllowed : exitCodes.done;
      if (missing.length === 0) return code;
      throw new Refusal(toLines(missing.map(({ message }) => message)), code || exitCodes.wrongUse);
    },
    { mayCreate: true },
  );
}

/**
 * Plans the request with made-up values for secrets that are not given. A plan does not depend on the values of
 * secrets.
 */
async function planWithout(
  secrets: readonly ArgumentField[],
  request: BodyOf<'createPlan'>,
  client: Client,
): Promise<Plan> {
  const names = secrets.flatMap(({ path }) => path);
  const args = { ...request.args, ...Object.fromEntries(names.map((name) => [name, 'not given yet'])) };
  const plan = await client.call('createPlan', { body: { ...request, args } }).catch(async (error: unknown) => {
    // The made-up value may be invalid for the secret, or other arguments are wrong. Either way, the missing secrets
    // are reported as well.
    await assertSound(secrets.map(toMissing), () => Promise.reject(error));
    throw error;
  });
  const isGiven = ([name]: [string, unknown]): boolean => !names.includes(name);
  return { ...plan, args: toJson(Object.fromEntries(Object.entries(plan.args).filter(isGiven))) };
}

function describe(
  plan: Plan,
  { job, isComplete }: { readonly job: Job; readonly isComplete: boolean },
  output: Output,
): void {
  const { isolation, profile } = plan.security;
  output.fields([
    ['job', `${plan.job_id} at ${plan.revision.slice(0, 12)}`],
    ['arguments', JSON.stringify(plan.args)],
    [
      'profile',
      `${profile}: ${isolation.pid_namespace ? '' : 'no sandbox, '}network ${isolation.network}, files ${isolation.filesystem}, as ${isolation.user === undefined ? `uid ${isolation.uid}` : `${isolation.user} (uid ${isolation.uid})`}`,
    ],
    ['network', plan.network_reach ?? ''],
    ['grants', plan.grants.map(grantText).join(', ')],
    ['secrets', [...plan.secrets, ...plan.stored_secrets].join(', ')],
    ['limits', limitsOf(plan)],
    ...plan.steps.map(({ step_id: id, needs }, at): [string, string] => [
      at === 0 ? 'steps' : '',
      [
        needs.length > 0 ? `${id} after ${needs.join(', ')}` : id,
        ...rulesOf(job.steps.find((step) => step.step_id === id)),
      ].join('; '),
    ]),
    ['retry', job.composition === 'steps' ? '' : retryWords(job.retry)],
    ['timeout', plan.timeouts.run ?? plan.timeouts.step ?? ''],
  ]);
  for (const { kind, path } of plan.unusable_grants)
    output.warn(
      `warning: the owner and mode of ${path} do not let uid ${isolation.uid} ${kind === 'read' ? 'read' : 'write to'} it: change them, or set \`run_as\` in config.yaml`,
    );
  for (const { arg, path } of plan.hidden_paths)
    output.warn(
      `warning: the sandbox does not show ${path} (${arg}) to the job: if the host has it, allow it with \`permissions: {read: [{arg: ${arg}}]}\` in config.yaml (\`write\` if the job changes it); the operator must list the path in \`security.paths\` of flwd.yaml`,
    );
  for (const { step_id: id, job_id: jobId, detail } of plan.missing_step_secrets)
    output.warn(`warning: the step '${id}'${jobId === plan.job_id ? '' : ` of '${jobId}'`} would fail: ${detail}`);
  for (const name of plan.missing_channels)
    output.warn(`warning: the server has no channel '${name}', which the job notifies`);
  const then = plan.waiting === null ? 'it would start at once' : `it would wait: ${plan.waiting}`;
  const start = isComplete ? then : `with the missing secrets, ${then}`;
  const asks = approvalWords(job.steps);
  output.text(
    plan.denied
      ? `${output.paint('bad', 'it would be refused')}: ${plan.denied.detail}\n`
      : `${start}${asks === '' ? '' : `; it ${asks}`}\n`,
  );
}

/** The step's rules in the job file: when, how often and for how long it runs. */
function rulesOf(step: Job['steps'][number] | undefined): string[] {
  if (!step) return [];
  const { matrix, foreach, retry, timeout } = step;
  return [
    ...(matrix === null ? [] : [`once for each combination of ${JSON.stringify(matrix)}`]),
    ...(foreach === null ? [] : [`once for each item of ${foreach}`]),
    ...(step.if === null ? [] : [`if ${step.if}`]),
    ...(step.always ? ['always'] : []),
    ...(retry.limit === 0 ? [] : [`retried ${retryWords(retry)}`]),
    ...(timeout === null ? [] : [`for at most ${timeout}`]),
  ];
}

function retryWords(retry: Job['retry']): string {
  if (retry === null || retry.limit === 0) return '';
  return retry.limit === 1 ? 'once' : `${retry.limit} times`;
}

function limitsOf({ limits: { cpu, memory, pids, workspace } }: Plan): string {
  return [
    cpu ? limitWords(`${cpu.cores} cores`, cpu) : '',
    memory ? limitWords(`memory ${sizeWords(memory.bytes)}`, memory) : '',
    pids ? limitWords(`${pids.count} processes`, pids) : '',
    workspace ? limitWords(`workspace ${sizeWords(workspace.bytes)}`, workspace) : '',
  ]
    .filter(Boolean)
    .join(', ');
}

function limitWords(limit: string, { by }: { readonly by: string }): string {
  return by === 'none' ? `${limit} (this host cannot enforce it)` : limit;
}
