// The host paths that a run was granted, looked at again when it starts.

import { realpath } from 'node:fs/promises';
import type { RunPlan } from '../domain/run.ts';
import { isShortage } from '../lib/shortage.ts';

export class GrantMoved extends Error {}

/**
 * A granted path was compared when the run was created; a link put in its place since would lead elsewhere.
 * @throws GrantMoved
 */
export async function assertUnmoved(plan: RunPlan): Promise<void> {
  for (const path of [...plan.read, ...plan.write]) {
    const now = await realpath(path).catch((error: unknown) => {
      if (isShortage(error)) throw error;
    });
    if (now !== path)
      throw new GrantMoved('a path that the job may see has been moved or removed since the run was created');
  }
}
