// The steps of a job as a graph: ids that are told apart, needs that exist and come to an end, and for each step all that has
// ended before it.

import { nearest } from '../lib/nearest.ts';
import { type MemberFault, ruleFault } from './config-fault.ts';
import type { RawStep } from './config-schema.ts';
import { findSameVariables } from './variable-names.ts';

type Node = Pick<RawStep, 'id' | 'needs'>;

/** Paths are inside `steps`. */
export function checkGraph(steps: readonly Node[]): MemberFault[] {
  return [...checkIds(steps), ...checkNeeds(steps)];
}

function checkIds(steps: readonly Node[]): MemberFault[] {
  const seen = new Map<string, number>();
  const faults: MemberFault[] = [];
  for (const [at, { id }] of steps.entries()) {
    if (seen.has(id)) faults.push(ruleFault([String(at), 'id'], `there is a step \`${id}\` already`));
    else seen.set(id, at);
  }
  for (const { name, before } of findSameVariables([...seen.keys()])) {
    const message = `the outputs of \`${before}\` and \`${name}\` would be the same variables`;
    faults.push(ruleFault([String(seen.get(name)), 'id'], message));
  }
  return faults;
}

function checkNeeds(steps: readonly Node[]): MemberFault[] {
  const ids = new Set(steps.map(({ id }) => id));
  const faults: MemberFault[] = [];
  for (const [at, step] of steps.entries()) {
    for (const [index, need] of (step.needs ?? []).entries()) {
      if (!ids.has(need)) faults.push(ruleFault([String(at), 'needs', String(index)], unknownStep(need, ids)));
    }
  }
  const cycle = findCycle(steps);
  if (cycle) {
    const at = steps.findIndex(({ id }) => id === cycle[0]);
    faults.push(
      ruleFault([String(at), 'needs'], `the steps need each other in a circle: ${shorten(cycle).join(' → ')}`),
    );
  }
  return faults;
}

export function unknownStep(id: string, ids: Iterable<string>): string {
  const near = nearest(id, [...ids]);
  return `there is no step \`${id}\`${near === undefined ? '' : `: did you mean \`${near}\`?`}`;
}

function shorten(cycle: readonly string[]): readonly string[] {
  return cycle.length > 10 ? [...cycle.slice(0, 4), '…', ...cycle.slice(-3)] : cycle;
}

/** The steps so that each comes after what it needs; those in a circle, or after one, are missing. */
function inOrder(steps: readonly Node[]): readonly Node[] {
  const waiting = new Map<string, number>();
  const dependents = new Map<string, Node[]>(steps.map(({ id }) => [id, []]));
  for (const step of steps) {
    const needs = (step.needs ?? []).filter((need) => dependents.has(need));
    waiting.set(step.id, needs.length);
    for (const need of needs) dependents.get(need)?.push(step);
  }
  const order = steps.filter(({ id }) => waiting.get(id) === 0);
  // It grows as it is walked.
  for (const { id } of order) {
    for (const dependent of dependents.get(id) ?? []) {
      const left = (waiting.get(dependent.id) ?? 0) - 1;
      waiting.set(dependent.id, left);
      if (left === 0) order.push(dependent);
    }
  }
  return order;
}

/** `build → test → build`; undefined when there is none. */
function findCycle(steps: readonly Node[]): string[] | undefined {
  const ordered = new Set(inOrder(steps).map(({ id }) => id));
  const stuck = new Map(steps.filter(({ id }) => !ordered.has(id)).map((step) => [step.id, step]));
  const way = new Set<string>();
  let [at] = stuck.keys();
  while (at !== undefined && !way.has(at)) {
    way.add(at);
    at = stuck.get(at)?.needs?.find((need) => stuck.has(need));
  }
  if (at === undefined) return undefined;
  const ids = [...way];
  return [...ids.slice(ids.indexOf(at)), at];
}

/** Does `before` always end before `id` begins? */
export function createPrecedence(steps: readonly Node[]): (before: string, id: string) => boolean {
  const indexes = new Map(steps.map(({ id }, at) => [id, at]));
  const bitOf = (id: string) => 1n << BigInt(indexes.get(id) ?? 0);
  /** A bit for each step, so that 500 steps that need each other stay cheap. */
  const masks = new Map<string, bigint>();
  for (const { id, needs = [] } of inOrder(steps)) {
    const known = needs.filter((need) => indexes.has(need));
    masks.set(
      id,
      known.reduce((mask, need) => mask | bitOf(need) | (masks.get(need) ?? 0n), 0n),
    );
  }
  return (before, id) => ((masks.get(id) ?? 0n) & bitOf(before)) !== 0n;
}
