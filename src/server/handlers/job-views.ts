// Jobs as the API shows them: in a list, and a single job in full.

import type { Catalog, CatalogEntry } from '../../catalog/catalog.ts';
import type { QueryOf } from '../../contract/operations.ts';
import type { InvalidJob, JobDefinition, RetryPolicy, SecurityProfile, StepDefinition } from '../../domain/job.ts';
import { type Reach, reachesJob } from '../../domain/principal.ts';
import { formatDuration, formatDurationOrNull } from '../../lib/units.ts';
import { pageOf } from './query-values.ts';

export function createJobViews(o: { readonly catalog: Catalog; readonly defaultProfile: SecurityProfile }) {
  const { catalog } = o;

  function toSummary({ definition: job }: CatalogEntry) {
    return {
      id: job.id,
      name: job.name,
      namespace: job.namespace,
      version: job.version,
      description: job.description,
      source: job.source,
      title: job.title,
      tags: job.tags,
      executor: job.executor,
      security_profile: job.securityProfile ?? o.defaultProfile,
      run_as: job.runAs,
      composition: job.composition,
      aliases: catalog.aliasesOf(job.id),
      enabled: job.enabled,
    };
  }

  function toDetail(entry: CatalogEntry, revision: string) {
    const { argspec, composition, steps, concurrency, onLost, timeouts, path } = entry.definition;
    const isSingle = composition === 'single';
    const [first] = steps;
    return {
      ...toSummary(entry),
      args: argspec,
      steps: isSingle ? [] : steps.map(toStepView),
      concurrency: concurrency && {
        limit: concurrency.limit,
        key: concurrency.key,
        on_conflict: concurrency.onConflict,
      },
      retry: isSingle && first ? toRetryView(first.retry) : null,
      on_lost: onLost,
      timeouts: {
        run: formatDurationOrNull(timeouts.runMs),
        step: formatDurationOrNull(timeouts.stepMs),
        queue: formatDurationOrNull(timeouts.queueMs),
      },
      revision,
      path,
      agents: hintsOf(entry),
    };
  }

  /** The members that a tool for the job needs. */
  function toTool(entry: CatalogEntry) {
    return { ...toSummary(entry), args: entry.definition.argspec, agents: hintsOf(entry) };
  }

  return {
    list(query: Query, reach: Reach) {
      const asked = { ...query, ids: query.ids === undefined ? undefined : new Set(query.ids.split(',')) };
      const { page, total, nextCursor } = pageOf(
        catalog.entries().filter((entry) => {
          const { definition: job } = entry;
          return reachesJob(reach, job.id) && matches(job, asked) && isForAgents(entry, asked);
        }),
        query,
        { of: ({ definition }) => `id:${definition.id}`, pattern: /^id:/ },
      );
      const invalid = catalog.invalid().filter((job) => reachesJob(reach, job.id) && isAskedFor(job, asked));
      const jobs = page.map(query.include === undefined ? toSummary : toTool);
      return { jobs, invalid, total, next_cursor: nextCursor };
    },
    detail: toDetail,
  };
}

/**
 * An untrusted source may hide its jobs from agents. It may not expose jobs on its own, or call them harmless (ADR
 * 0065).
 */
function hintsOf({ definition: { agents }, source: { trusted } }: CatalogEntry) {
  const { expose, readOnly, idempotent, detach, approval } = agents;
  return {
    expose: trusted || expose === false ? expose : null,
    read_only: trusted && readOnly,
    idempotent: trusted && idempotent,
    detach,
    approval,
  };
}

function isForAgents(entry: CatalogEntry, { agents }: Pick<Query, 'agents'>): boolean {
  if (agents === undefined) return true;
  const { expose } = hintsOf(entry);
  return agents === 'exposed' ? expose === true : expose !== false;
}

/** The query without `last_runs`, because jobs.ts handles that. */
type Query = Omit<QueryOf<'listJobs'>, 'last_runs'>;
type Asked = Omit<Query, 'ids'> & { readonly ids: ReadonlySet<string> | undefined };

function matches(job: JobDefinition, query: Asked): boolean {
  const { tag, q } = query;
  if (tag !== undefined && !job.tags.includes(tag)) return false;
  if (!isAskedFor(job, query)) return false;
  if (q === undefined) return true;
  const text = [job.id, job.title ?? '', job.description ?? '', ...job.tags].join('\n').toLowerCase();
  return text.includes(q.toLowerCase());
}

/** Whether an invalid job matches the query. Only its id and its source are known. */
function isAskedFor({ id, source }: Pick<InvalidJob, 'id' | 'source'>, query: Asked): boolean {
  const { namespace, prefix, ids } = query;
  if (ids !== undefined && !ids.has(id)) return false;
  if (query.source !== undefined && source !== query.source) return false;
  if (namespace !== undefined && id.slice(0, Math.max(0, id.lastIndexOf('/'))) !== namespace) return false;
  return prefix === undefined || prefix === '' || id.startsWith(`${prefix.replace(/\/$/, '')}/`);
}

/** Shows a step with the names that config.yaml uses. */
function toStepView(step: StepDefinition) {
  const { action } = step;
  return {
    step_id: step.id,
    name: step.name,
    kind: action.kind === 'command' ? ('script' as const) : action.kind,
    needs: step.needs,
    if: step.condition,
    matrix: step.matrix,
    foreach: step.foreach,
    command: action.kind === 'command' ? action.command : null,
    job: action.kind === 'job' ? action.jobId : null,
    args: action.kind === 'job' ? action.args : null,
    approval: action.kind === 'approval' ? approvalOf(action) : null,
    retry: toRetryView(step.retry),
    timeout: formatDurationOrNull(step.timeoutMs),
    continue_on_error: step.continueOnError,
    always: step.always,
  };
}

function approvalOf({ text, by, notByStarter = false }: Extract<StepDefinition['action'], { kind: 'approval' }>) {
  return { text, by, not_by_starter: notByStarter };
}

function toRetryView({ limit, backoff, delayMs, maxDelayMs, on }: RetryPolicy) {
  return { limit, backoff, delay: formatDuration(delayMs), max_delay: formatDuration(maxDelayMs), on };
}
