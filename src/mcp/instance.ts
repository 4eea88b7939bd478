// The instance that an agent works with, and the jobs of it that the agent may see.

import { type ApiProblem, ServerUnreachable } from '../client/api-problem.ts';
import type { Client } from '../client/client.ts';
import type { AnswerOf, QueryOf } from '../contract/operations.ts';
import { holdsScope, type Scope } from '../domain/principal.ts';

type Settings = {
  /** How many jobs can be tools of their own. */
  readonly jobTools: number;
  /** How long a tool waits for a run at most. */
  readonly waitMs: number;
  /** Whether the agent may see jobs of sources that are not trusted. */
  readonly isUntrustedAllowed: boolean;
};

export type Instance = {
  /** Calls the API as the agent. */
  readonly client: Client;
  /** Makes sure that this run is started if it is pending, even if another process takes the data dir over. */
  readonly ensureStarted: (runId: string) => void;
  readonly settings: Settings;
  readonly version: string;
  /** What to advise the user if no server can be reached. Not set if this code runs inside a server. */
  readonly unreachable?: string;
  /** What the agent may see and do. If it is not set, `readRights` asks the server. */
  readonly rights?: Rights;
};

export type Rights = {
  readonly maySee: (source: string) => boolean;
  readonly holds: (scope: Scope) => boolean;
};

export type Job = AnswerOf<'getJob'>;
export type ListedJob = AnswerOf<'listJobs'>['jobs'][number];
/** The members of a job from which its tool is made. */
export type ToolJob = Pick<Job, 'id' | 'title' | 'description' | 'args' | 'agents'>;

const pageJobs = 500;

/** Finds out which sources' jobs the agent may see, and which scopes it has. */
export async function readRights({ client, settings, rights }: Instance): Promise<Rights> {
  if (rights) return rights;
  const { sources, caller } = await client.call('getSystemInfo');
  const hidden = settings.isUntrustedAllowed ? [] : sources.filter(({ trusted }) => !trusted).map(({ name }) => name);
  return {
    maySee: (source) => !hidden.includes(source),
    holds: (scope) => caller !== null && holdsScope(caller, scope),
  };
}

type Wanted = Omit<QueryOf<'listJobs'>, 'limit' | 'offset'>;

/** Reads a page of the jobs that the agent may see, sorted by id, and where the next page begins. */
export async function visibleJobs(
  { client }: Instance,
  { maySee }: Pick<Rights, 'maySee'>,
  { most, ...wanted }: Wanted & { readonly most: number },
): Promise<{ readonly jobs: readonly ListedJob[]; readonly nextCursor: string | null }> {
  const jobs: ListedJob[] = [];
  let { cursor } = wanted;
  while (jobs.length < most) {
    const limit = Math.min(most - jobs.length, pageJobs);
    const query = { agents: 'visible' as const, ...wanted, limit, ...(cursor && { cursor }) };
    const page = await client.call('listJobs', { query });
    jobs.push(...page.jobs.filter(({ source, enabled }) => enabled && maySee(source)));
    if (page.next_cursor === null) return { jobs, nextCursor: null };
    cursor = page.next_cursor;
  }
  return { jobs, nextCursor: cursor ?? null };
}

/**
 * The jobs that are tools of their own: first the jobs that their authors expose, then the other jobs by id. If there
 * are too many jobs, only the exposed jobs become tools or, if no job is exposed, the first jobs by id.
 */
export async function jobsForTools(instance: Instance, rights: Rights): Promise<readonly ToolJob[]> {
  const { jobTools: most } = instance.settings;
  if (most === 0) return [];
  const { jobs: exposed } = await visibleJobs(instance, rights, { agents: 'exposed', include: 'args', most });
  const { jobs: visible } = await visibleJobs(instance, rights, { include: 'args', most: most + 1 });
  const others = visible.filter(({ agents }) => agents?.expose !== true);
  const isTooMany = visible.length > most && exposed.length > 0;
  return [...exposed, ...(isTooMany ? [] : others)].slice(0, most).flatMap((job) => {
    const { args, agents } = job;
    return args && agents ? [{ ...job, args, agents }] : [];
  });
}

/**
 * Returns undefined if the agent may not see the job.
 * @throws ApiProblem, also if the job does not exist
 */
export async function findJob(instance: Instance, id: string): Promise<Job | undefined> {
  const [job, { maySee }] = await Promise.all([
    instance.client.call('getJob', { path: { job_id: id } }),
    readRights(instance),
  ]);
  return maySee(job.source) ? job : undefined;
}

/** Returns the message of an error, and advice if there is any. */
export function errorWords({ unreachable }: Instance, error: ApiProblem | ServerUnreachable): string {
  const advice = error instanceof ServerUnreachable && unreachable !== undefined ? ` ${unreachable}` : '';
  return `${error.message}${advice}`;
}

/** Returns a header with which the client can repeat the request if the server ends in the middle of it. */
export function newKey(): Record<string, string> {
  return { 'idempotency-key': crypto.randomUUID() };
}
