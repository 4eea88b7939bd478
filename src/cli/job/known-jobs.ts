// The jobs of an instance, for commands that only read them: from the running server, or else from the sources as they
// are now. Creates no data dir.

import type { AnswerOf, QueryOf } from '../../contract/operations.ts';
import type { JobError } from '../../domain/job.ts';
import { findOwner } from '../../instance/owner-lock.ts';
import type { Frozen } from '../../lib/frozen.ts';
import type { Options } from '../command.ts';
import { commandText } from '../session/command-text.ts';
import { loadConfiguration } from '../session/configuration.ts';
import type { Session } from '../session/session.ts';
import { openServedSession, workWith } from '../session/session.ts';

export type Job = Frozen<AnswerOf<'getJob'>>;
export type JobList = Frozen<AnswerOf<'listJobs'>>;

export type KnownJobs = {
  readonly list: (query: QueryOf<'listJobs'>) => JobList | Promise<JobList>;
  /** @throws ApiProblem or Problem job-not-found, job-invalid */
  readonly get: (id: string) => Promise<Job>;
  /** Writes a command for the same instance, as the user can type it. */
  readonly command: Session['command'];
  /** The address of the server that answers; undefined: the sources are read without one. */
  readonly server?: () => Promise<string | undefined>;
};

/** @param work also receives the session if a server is running. @throws Refusal */
export async function withJobs<T>(
  options: Options,
  work: (jobs: KnownJobs, session?: Session) => Promise<T>,
): Promise<T> {
  const session = await openServedSession(options);
  if (!session) {
    const { config, warnings } = loadConfiguration(options);
    for (const warning of warnings) process.stderr.write(`flwd: ${warning}\n`);
    const { readJobs } = await import('../../sources.ts');
    return readJobs(config, (jobs) => work({ ...jobs, command: (...words) => commandText(options, ...words) }));
  }
  return workWith(session, options, () => work(jobsOf(session), session));
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

/** An error in a job's files, with its place. */
export function placed({ file, line, column, message }: JobError): string {
  return `${file}:${line}:${column}: ${message}`;
}
