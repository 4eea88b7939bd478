// Triggers and their results.

import type { Catalog } from '../../catalog/catalog.ts';
import { holdsScope, type Principal, reachesJob } from '../../domain/principal.ts';
import { createMissingSecretsOf, type MissingSecretsOf } from '../../engine/plan/needed-secrets.ts';
import type { Trigger } from '../../engine/trigger/trigger-parts.ts';
import type { Triggers } from '../../engine/trigger/triggers.ts';
import { toTimestamp } from '../../lib/clock.ts';
import type { Store } from '../../store/open.ts';
import type { TriggerResultRow } from '../../store/schema.ts';
import type { Handlers } from '../exchange.ts';
import { toDenial } from './denial.ts';
import { pageOf } from './query-values.ts';

export function createTriggerHandlers(o: {
  readonly triggers: Triggers;
  readonly store: Pick<Store, 'triggers' | 'secrets'>;
  readonly catalog: Catalog;
  readonly jobIdOf: (idOrAlias: string) => string;
  readonly defaultTenant: string;
}): Pick<Handlers, 'listTriggers' | 'listTriggerResults'> {
  const { triggers, store, defaultTenant: tenant } = o;

  async function toAnswer(trigger: Trigger, caller: Principal, missingSecretsOf: MissingSecretsOf) {
    const { id, jobId, condition, args, denied } = trigger;
    const readsRuns = holdsScope(caller, 'runs:read');
    const [last] = readsRuns ? await store.triggers.results(id, caller.tenant, 1) : [];
    // The result of the last check may quote the output of a script of the default tenant.
    const look = readsRuns && [tenant, '*'].includes(caller.tenant) ? triggers.lookOf(id) : undefined;
    return {
      id,
      job_id: jobId,
      type: trigger.kind,
      ...followedBy(trigger),
      if: condition,
      args,
      denied: toDenial(denied),
      missing_secrets: holdsScope(caller, 'runs:write') ? await missingSecretsOf({ ...trigger, tenant }) : [],
      last_look: look ? { at: toTimestamp(look.atMs), problem: look.problem } : null,
      last_result: last ? toResult(last) : null,
    };
  }

  return {
    async listTriggers({ request: { principal }, query: { job_id: asked, ...paging } }) {
      const jobId = asked === undefined ? undefined : o.jobIdOf(asked);
      const matching = triggers
        .list()
        .filter((one) => reachesJob(principal, one.jobId) && (jobId === undefined || one.jobId === jobId))
        .toSorted((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1));
      const { page, total, nextCursor } = pageOf(matching, paging, { of: placeOf, pattern: /\0/ });
      const missingSecretsOf = createMissingSecretsOf(o);
      const listed = await Promise.all(page.map((trigger) => toAnswer(trigger, principal, missingSecretsOf)));
      return { triggers: listed, total, next_cursor: nextCursor };
    },

    async listTriggerResults({ request: { principal }, path }) {
      const { id } = triggers.get(path.trigger_id, principal);
      return { results: (await store.triggers.results(id, principal.tenant)).map(toResult) };
    },
  };
}

/** Shows what the trigger follows: a job, files or a check. */
function followedBy(trigger: Trigger) {
  const nothing = { job: null, job_exists: true, on: [], files: null, check: null };
  if (trigger.kind === 'files') {
    const { folder, match, settleMs } = trigger;
    return { ...nothing, files: { folder, match, settle_ms: settleMs } };
  }
  if (trigger.kind === 'check')
    return { ...nothing, check: { command: [...trigger.action.command], every_ms: trigger.everyMs } };
  const { followedId, job, on } = trigger;
  return { ...nothing, job: followedId ?? job, job_exists: followedId !== null, on: [...on] };
}

/** The position of a trigger in the list. It is unambiguous, because no job id contains NUL. */
function placeOf({ jobId, id }: Trigger): string {
  return `${jobId}\0${id}`;
}

function toResult({ at, result, key, run_id, problem, detail }: TriggerResultRow) {
  const [, path = null] = /^file \S+ (.*)$/s.exec(key) ?? [];
  return { at: toTimestamp(at), result, after_run: key.startsWith('run_') ? key : null, path, run_id, problem, detail };
}
