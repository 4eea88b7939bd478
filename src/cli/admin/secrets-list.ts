// `flwd secrets list`: lists the names of a tenant's secrets, never their values, and those that jobs lack.

import type { AnswerOf } from '../../contract/operations.ts';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { everyPage } from '../session/pages.ts';
import { withSession } from '../session/session.ts';
import { createOutput, type Output } from '../terminal/output.ts';

const pageSize = 1_000;

export async function run(options: Options): Promise<ExitCode> {
  const output = createOutput(options);
  const [tenant] = options.get('tenant') ?? [];
  const query = { limit: pageSize, ...(tenant !== undefined && { tenant }) };
  const pages = await withSession(options, ({ client }) =>
    everyPage((from) => client.call('listSecrets', { query: { ...query, ...from } })),
  );
  const secrets = pages.flatMap((page) => page.secrets);
  if (output.isJson) output.json({ ...pages[0], secrets, next_cursor: null });
  else {
    if (secrets.length === 0) output.say('no secrets');
    else await printSecrets(secrets, output);
    for (const { name, used_by: jobIds } of pages[0].missing ?? [])
      output.say(`${name} is not stored, but ${jobIds.join(', ')} ${jobIds.length === 1 ? 'uses' : 'use'} it`);
  }
  return exitCodes.done;
}

async function printSecrets(secrets: AnswerOf<'listSecrets'>['secrets'], output: Output): Promise<void> {
  await output.table(
    [
      { name: 'NAME', isFlexible: true },
      { name: 'TENANT', isFlexible: true },
      { name: 'USED BY', isFlexible: true },
      { name: 'UPDATED' },
      { name: 'BY' },
    ],
    secrets.map(({ name, tenant, used_by: jobIds, also_used_by: others, ...secret }) => [
      name,
      tenant,
      jobIds === null ? '-' : usersOf(jobIds.length, others ?? []),
      output.time(secret.updated_at),
      secret.updated_by,
    ]),
  );
}

function usersOf(jobs: number, others: readonly string[]): string {
  const ofJobs = jobs === 0 ? [] : [jobs === 1 ? '1 job' : `${jobs} jobs`];
  return [...ofJobs, ...others].join(', ') || 'nothing';
}
