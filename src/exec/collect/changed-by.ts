// Which step a file is from that no step named. The times of a file are compared with those of the attempts' own files: both are
// the kernel's, whose coarse clock may stand still for 10 ms but keeps the order of what happens one after the other.

import { lstatSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { readStatus, statusPath } from '../proc/shim-status.ts';

/** When the last change of a file's content and name began at the earliest, and when it was done. */
export type LastChange = Pick<Stats, 'birthtimeMs' | 'mtimeMs' | 'ctimeMs'>;

type Ran = { readonly stepId: string; readonly fromMs: number; readonly untilMs: number };

/**
 * The only step that ran while the file changed last; null where that cannot be told.
 * @param attempts all attempts of all steps, the ended ones included
 */
export function createStepFinder(
  attempts: readonly { readonly stepId: string; readonly attemptDir: string }[],
): (change: LastChange) => string | null {
  let ran: readonly Ran[] | undefined;
  return ({ birthtimeMs, mtimeMs, ctimeMs }) => {
    ran ??= attempts.flatMap(whenItRan);
    // Anyone can set another mtime, but then only the ctime shows when: the content may be as old as the file.
    const sinceMs = mtimeMs === ctimeMs ? ctimeMs : birthtimeMs;
    const steps = new Set(
      ran.filter(({ fromMs, untilMs }) => fromMs <= ctimeMs && untilMs >= sinceMs).map(({ stepId }) => stepId),
    );
    const [only] = steps;
    return steps.size === 1 && only !== undefined ? only : null;
  };
}

/** The one whose last process went last. */
export function lastToEnd<A extends { readonly attemptDir: string }>(attempts: readonly A[]): A | undefined {
  const endMs = ({ attemptDir }: A): number =>
    lstatSync(statusPath(attemptDir), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return attempts.toSorted((a, b) => endMs(a) - endMs(b)).at(-1);
}

/** Its input is written before it starts, and its status when its last process is gone. */
function whenItRan({ stepId, attemptDir }: { readonly stepId: string; readonly attemptDir: string }): Ran[] {
  const input = lstatSync(join(attemptDir, 'in'), { throwIfNoEntry: false });
  const status = lstatSync(statusPath(attemptDir), { throwIfNoEntry: false });
  if (!input || !status) return [];
  const isOver = readStatus(attemptDir)?.isOver === true;
  return [{ stepId, fromMs: input.mtimeMs, untilMs: isOver ? status.mtimeMs : Infinity }];
}
