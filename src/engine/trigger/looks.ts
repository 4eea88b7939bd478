// Remembers when each trigger last read its folder or ran its check, and what was wrong. While something is wrong, the
// problem is also stored as a result of the trigger, which `flwd doctor` reads.

import type { LimitFunction } from 'p-limit';
import { triggerFailing } from '../../domain/trigger/job-trigger.ts';
import type { Trigger, TriggerParts } from './trigger-parts.ts';

export type Look = {
  readonly atMs: number;
  /** Why the trigger starts nothing; null if nothing is wrong. */
  readonly problem: string | null;
};

type Looks = ReturnType<typeof createLooks>;

export type LoopParts = TriggerParts & {
  readonly looks: Looks;
  /** Runs a check as soon as few enough other checks run. */
  readonly limitChecks: LimitFunction;
  /**
   * Reads a folder as soon as few enough other folders are read. A folder that hangs keeps a thread of the process
   * busy.
   */
  readonly limitReads: LimitFunction;
};

export function createLooks({ store, clock, log, defaultTenant }: TriggerParts) {
  const last = new Map<string, Look>();

  async function note(triggerId: string, problem: string | null): Promise<void> {
    const key = { trigger_id: triggerId, key: triggerFailing };
    const result = { result: 'refused', run_id: null, problem: triggerFailing, detail: problem } as const;
    await store.db.transact(async (tx) => {
      await store.triggers.remove(tx, key);
      if (problem !== null) await store.triggers.add(tx, { ...key, ...result, tenant: defaultTenant, at: clock.now() });
    });
  }

  return {
    of: (triggerId: string): Look | undefined => last.get(triggerId),
    /** Logs when problems begin, and when the trigger works again. */
    async add({ id, jobId }: Trigger, problem: string | null): Promise<void> {
      const before = last.get(id);
      const look = { atMs: clock.now(), problem };
      // The text may differ each time, for example in a number, although the problem is the same.
      if (before && (before.problem === null) === (problem === null)) {
        last.set(id, look);
        return;
      }
      const fields = { trigger_id: id, job_id: jobId };
      if (problem !== null) log.warn(fields, `a trigger has a problem: ${problem}`);
      else if (before) log.info(fields, 'a trigger works again');
      await note(id, problem);
      last.set(id, look);
    },
    /** Forgets triggers that the catalog no longer has. */
    async forgetOthers(ids: ReadonlySet<string>): Promise<void> {
      const failing = await store.triggers.failing();
      for (const id of [...failing, ...last.keys()]) {
        if (ids.has(id)) continue;
        await note(id, null);
        last.delete(id);
      }
    },
  };
}
