// The steps of a run as the graph shows them. Instances are in the grid of their step, and times are below the names.
// The lines of the graph show which steps a step waits for, so its note does not.

import { tookMs, tookWords } from '../../client/took.ts';
import { looks } from '../design/text/Status.tsx';
import type { GraphCell } from '../graph/InstanceGrid.tsx';
import { gridOf, instanceName } from '../graph/instance-grid.ts';
import type { GraphStep } from '../graph/StepGraph.tsx';
import type { Run, Step } from '../words.ts';
import { instancesWords, stepNote } from './steps/step-words.ts';

export function graphOf(
  run: Run,
  o: { readonly nowMs: number; readonly hrefOf: (stepId: string) => string },
): GraphStep[] {
  const instancesOf = Map.groupBy(run.steps, ({ instance_of: of }) => of);
  return (instancesOf.get(null) ?? []).map((step) => {
    const instances = instancesOf.get(step.step_id) ?? [];
    const time = tookWords(step, o.nowMs);
    const note = stepNote(run, step, o.nowMs);
    return {
      id: step.step_id,
      needs: step.needs,
      status: step.status,
      note: [step.kind === 'approval' && time !== '' ? `${time} wait` : time, instances.length > 0 ? '' : note]
        .filter(Boolean)
        .join(', '),
      href: o.hrefOf(step.step_id),
      ...(instances.length > 0 && {
        aside: instancesWords(instances).text,
        grid: gridOf(instances.map((one) => ({ ...cellOf(one, o), step_id: one.step_id, item: one.item }))),
      }),
    };
  });
}

function cellOf(step: Step, o: { readonly nowMs: number; readonly hrefOf: (stepId: string) => string }): GraphCell {
  const time = tookWords(step, o.nowMs);
  const words = [`${instanceName(step)}: ${looks[step.status].word}`, time, step.message ?? ''];
  return {
    id: step.step_id,
    status: step.status,
    text: clockWords(step, o.nowMs),
    words: words.filter(Boolean).join(', '),
    href: o.hrefOf(step.step_id),
  };
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}

/** "2:34", short enough for a cell. */
function clockWords(step: Step, nowMs: number): string {
  const ms = tookMs(step, nowMs);
  if (ms === null) return '';
  const seconds = Math.floor(ms / 1_000);
  const hours = Math.floor(seconds / 3_600);
  const minutes = Math.floor(seconds / 60) % 60;
  return hours > 0 ? `${hours} h ${two(minutes)}` : `${minutes}:${two(seconds % 60)}`;
}
