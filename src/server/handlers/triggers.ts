// Triggers, and what became of the ends of runs that they follow.

import { holdsScope, type Principal, reachesJob } from '../../domain/principal.ts';
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
  readonly store: Pick<Store, 'triggers'>;
  readonly jobIdOf: (idOrAlias: string) => string;
}): Pick<Handlers, 'listTriggers' | 'listTriggerResults'> {
  const { triggers, store } = o;

  async function toAnswer({ id, jobId, job, followedId, on, condition, args, denied }: Trigger, caller: Principal) {
    const [last] = holdsScope(caller, 'runs:read') ? await store.triggers.results(id, caller.tenant, 1) : [];
    return {
      id,
      job_id: jobId,
      job: followedId ?? job,
      job_exists: followedId !== null,
      on: [...on],
      if: condition,
      args,
      denied: toDenial(denied),
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
      const listed = await Promise.all(page.map((trigger) => toAnswer(trigger, principal)));
      return { triggers: listed, total, next_cursor: nextCursor };
    },

    async listTriggerResults({ request: { principal }, path }) {
      const { id } = triggers.get(path.trigger_id, principal);
      return { results: (await store.triggers.results(id, principal.tenant)).map(toResult) };
    },
  };
}

/** No job id contains NUL. */
function placeOf({ jobId, id }: Trigger): string {
  return `${jobId}\0${id}`;
}

function toResult({ at, result, key, run_id, problem, detail }: TriggerResultRow) {
  return { at: toTimestamp(at), result, after_run: key, run_id, problem, detail };
}
