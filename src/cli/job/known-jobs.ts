// The jobs of an instance for a command that only wants to know of them: as its server has them, or, where there is none, as
// its sources have them now. That makes no data dir.

import type { AnswerOf, QueryOf } from '../../contract/operations.ts';
import { findOwner } from '../../instance/owner-lock.ts';
import type { Frozen } from '../../lib/frozen.ts';
import type { Options } from '../command.ts';
import { commandText } from '../session/command-text.ts';
import { loadConfiguration } from '../session/configuration.ts';
import type { Session } from '../session/session.ts';
import { openServedSession } from '../session/session.ts';

export type Job = Frozen<AnswerOf<'getJob'>>;
export type JobList = Frozen<AnswerOf<'listJobs'>>;

export type KnownJobs = {
  readonly list: (query: QueryOf<'listJobs'>) => JobList | Promise<JobList>;
  /** @throws ApiProblem or Problem job-not-found, job-invalid */
  readonly get: (id: string) => Promise<Job>;
  /** A command for the same instance, as it is typed. */
  readonly command: Session['command'];
  /** Where the server is that is asked; undefined: none is. */
  readonly server?: () => Promise<string | undefined>;
};

/** @param work gets the session too, where there is a server. @throws Refusal */
export async function withJobs<T>(
  options: Options,
  work: (jobs: KnownJobs, session?: Session) => Promise<T>,
): Promise<T> {
  const session = await openServedSession(options);
  if (!session) {
    const { config } = loadConfiguration(options);
    const { readJobs } = await import('../../sources.ts');
    return readJobs(config, (jobs) => work({ ...jobs, command: (...words) => commandText(options, ...words) }));
  }
  try {
    return await work(jobsOf(session), session);
  } finally {
    await session.close();
  }
}

export function jobsOf({ client, where, isEphemeral, command }: Session): KnownJobs {
  return {
    command,
    list: (query) => client.call('listJobs', { query }),
    get: (id) => client.call('getJob', { path: { job_id: id } }),
    async server() {
      if (isEphemeral()) return undefined;
      return URL.canParse(where) ? where : ((await findOwner(where))?.url ?? undefined);
    },
  };
}
