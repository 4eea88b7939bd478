// The rows of the list of steps: which are shown, and which are folded. Instances are folded into their step. A step is
// unfolded automatically if an instance failed, waits for an approval or is selected.

import type { StepStatus } from '../../../domain/run.ts';
import type { Step } from '../../words.ts';
import { statusVerbs } from './step-words.ts';

export type StepRow = {
  readonly kind: 'step';
  readonly key: string;
  readonly depth: number;
  readonly step: Step;
  readonly instances: readonly Step[];
  /** null: the row cannot be unfolded. */
  readonly isOpen: boolean | null;
};

/** A row that stands for several steps of the same status. */
export type RestRow = {
  readonly kind: 'rest';
  readonly key: string;
  readonly depth: number;
  readonly steps: readonly Step[];
  readonly status: StepStatus;
  /** "5 others succeeded" */
  readonly words: string;
  readonly isOpen: boolean;
};

/** What the user has folded or unfolded, by the key of the row. */
export type Folds = ReadonlyMap<string, boolean>;

type Options = {
  readonly folds: Folds;
  readonly chosen: string | null;
  /** Neighbouring steps that have succeeded, or that have not run, share a row. */
  readonly isTight: boolean;
};

export function rowsOf(steps: readonly Step[], o: Options): (StepRow | RestRow)[] {
  const instancesOf = Map.groupBy(steps, ({ instance_of: of }) => of);
  const own = instancesOf.get(null) ?? [];
  const rowsOfStep = (step: Step): (StepRow | RestRow)[] => stepRows(step, instancesOf.get(step.step_id) ?? [], o);
  if (!o.isTight) return own.flatMap(rowsOfStep);
  const isChosen = (step: Step): boolean =>
    step.step_id === o.chosen || (instancesOf.get(step.step_id) ?? []).some(({ step_id: id }) => id === o.chosen);
  return neighbours(own, isChosen).flatMap((alike) => {
    const [first] = alike;
    if (!first || alike.length === 1) return alike.flatMap(rowsOfStep);
    const row = restRow(alike, { folds: o.folds, depth: 0, key: `from ${first.step_id}`, isOthers: false });
    return row.isOpen ? [row, ...alike.flatMap(rowsOfStep)] : [row];
  });
}

const dull: readonly StepStatus[] = ['success', 'skipped', 'pending'];

/** Groups neighbouring steps of the same status. A step that must be visible gets a group of its own. */
function neighbours(steps: readonly Step[], isChosen: (step: Step) => boolean): Step[][] {
  const groups: Step[][] = [];
  for (const step of steps) {
    const last = groups.at(-1);
    const before = last?.at(-1);
    const isAlike = before?.status === step.status && dull.includes(step.status);
    if (last && before && isAlike && !isChosen(step) && !isChosen(before)) last.push(step);
    else groups.push([step]);
  }
  return groups;
}

function stepRows(step: Step, instances: readonly Step[], o: Options): (StepRow | RestRow)[] {
  const row = stepRow(step, 0, o, instances);
  return row.isOpen && instances.length > 0 ? [row, ...instanceRows(step, instances, o)] : [row];
}

function instanceRows(group: Step, instances: readonly Step[], o: Options): (StepRow | RestRow)[] {
  const isSeen = (step: Step): boolean => !dull.includes(step.status) || step.step_id === o.chosen;
  const seen = instances.filter(isSeen);
  // The step is unfolded although no instance needs attention, so the user wants to see all of them.
  if (seen.length === 0) return instances.map((one) => stepRow(one, 1, o));
  const rests = [
    ...Map.groupBy(
      instances.filter((step) => !isSeen(step)),
      ({ status }) => status,
    ).values(),
  ];
  return [
    ...seen.map((one) => stepRow(one, 1, o)),
    ...rests.flatMap((rest): (StepRow | RestRow)[] => {
      const rows = rest.map((one) => stepRow(one, 1, o));
      if (rest.length === 1) return rows;
      const key = `${rest[0]?.status} of ${group.step_id}`;
      const row = restRow(rest, { folds: o.folds, depth: 1, key, isOthers: true });
      return row.isOpen ? [row, ...rows] : [row];
    }),
  ];
}

function stepRow(step: Step, depth: number, o: Options, instances: readonly Step[] = []): StepRow {
  const { step_id: key, kind, status, child_run_id: childId } = step;
  const canOpen = instances.length > 0 || (kind === 'job' && childId !== null);
  const isNotable = instances.some(
    (one) => one.status === 'failed' || one.status === 'waiting_approval' || one.step_id === o.chosen,
  );
  const opens = isNotable || (kind === 'job' && status === 'failed');
  return { kind: 'step', key, depth, step, instances, isOpen: canOpen ? (o.folds.get(key) ?? opens) : null };
}

function restRow(
  steps: readonly Step[],
  o: { readonly folds: Folds; readonly depth: number; readonly key: string; readonly isOthers: boolean },
): RestRow {
  const status = steps[0]?.status ?? 'pending';
  const words = `${steps.length} ${o.isOthers ? 'others ' : ''}${statusVerbs[status]}`;
  return { kind: 'rest', key: o.key, depth: o.depth, steps, status, words, isOpen: o.folds.get(o.key) ?? false };
}
