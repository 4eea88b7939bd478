// The instance that an agent works with, and which of its jobs an agent may know.

import type { Client } from '../client/client.ts';
import type { AnswerOf } from '../contract/operations.ts';
import { holdsScope, type Scope } from '../domain/principal.ts';

type Settings = {
  /** How many jobs are tools of their own. */
  readonly jobTools: number;
  /** How long a tool waits for a run. */
  readonly waitMs: number;
  /** Whether jobs of sources that are not trusted are offered. */
  readonly isUntrustedAllowed: boolean;
};

export type Instance = {
  /** Calls the API as the agent. */
  readonly client: Client;
  /** Takes care of a run until it ends. */
  readonly attend: (runId: string) => void;
  readonly settings: Settings;
  readonly version: string;
};

export type Job = AnswerOf<'getJob'>;
export type ListedJob = AnswerOf<'listJobs'>['jobs'][number];

const pageJobs = 500;

/** Whether the agent may see jobs of a source, and which scopes it has. */
export async function readRights({ client, settings }: Instance) {
  const { sources, caller } = await client.call('getSystemInfo');
  const hidden = settings.isUntrustedAllowed ? [] : sources.filter(({ trusted }) => !trusted).map(({ name }) => name);
  return {
    maySee: (source: string): boolean => !hidden.includes(source),
    holds: (scope: Scope): boolean => caller !== null && holdsScope(caller, scope),
  };
}

/** The jobs that the agent may see, sorted by id. */
export async function* visibleJobs(
  { client }: Instance,
  { maySee }: Pick<Awaited<ReturnType<typeof readRights>>, 'maySee'>,
  query: { readonly q?: string; readonly tag?: string; readonly prefix?: string } = {},
): AsyncGenerator<ListedJob, void> {
  let cursor: string | undefined;
  do {
    const page = await client.call('listJobs', { query: { ...query, limit: pageJobs, ...(cursor && { cursor }) } });
    yield* page.jobs.filter(({ source, enabled }) => enabled && maySee(source));
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
}

/** undefined: there is no such job, or its source is not trusted. @throws ApiProblem */
export async function findJob(instance: Instance, id: string): Promise<Job | undefined> {
  const [job, { maySee }] = await Promise.all([
    instance.client.call('getJob', { path: { job_id: id } }),
    readRights(instance),
  ]);
  return maySee(job.source) ? job : undefined;
}

/** Lets the request be sent again if the server changes in the middle of it. */
export function newKey(): Record<string, string> {
  return { 'idempotency-key': crypto.randomUUID() };
}
