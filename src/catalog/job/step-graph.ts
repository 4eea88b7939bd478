// The steps of a job as a graph. Checks that ids are unique, that needed steps exist and that there is no cycle. Also
// finds out whether one step always ends before another step begins.

import { createBinaryHeap } from '../../domain/binary-heap.ts';
import { nearest } from '../../lib/nearest.ts';
import { findSameVariables } from '../arguments/variable-names.ts';
import { type MemberError, ruleError } from './config-error.ts';

type Node = { readonly id: string; readonly needs?: readonly string[] | undefined };
type Waiting<T> = { readonly step: T; readonly index: number; readonly dependents: Waiting<T>[]; openNeeds: number };

/** Paths in errors start at `steps`. */
export function checkGraph(steps: readonly Node[]): MemberError[] {
  return [...checkIds(steps), ...checkNeeds(steps)];
}

function checkIds(steps: readonly Node[]): MemberError[] {
  const seen = new Map<string, number>();
  const errors: MemberError[] = [];
  for (const [at, { id }] of steps.entries()) {
    if (seen.has(id)) errors.push(ruleError([String(at), 'id'], `another step already has the id \`${id}\``));
    else seen.set(id, at);
  }
  for (const { name, before } of findSameVariables([...seen.keys()])) {
    const message = `the outputs of \`${before}\` and \`${name}\` would become the same variables`;
    errors.push(ruleError([String(seen.get(name)), 'id'], message));
  }
  return errors;
}

function checkNeeds(steps: readonly Node[]): MemberError[] {
  const ids = new Set(steps.map(({ id }) => id));
  const errors: MemberError[] = [];
  for (const [at, step] of steps.entries()) {
    for (const [index, need] of (step.needs ?? []).entries()) {
      if (!ids.has(need)) errors.push(ruleError([String(at), 'needs', String(index)], unknownStep(need, ids)));
    }
  }
  const cycle = findCycle(steps);
  if (cycle) {
    const at = steps.findIndex(({ id }) => id === cycle[0]);
    errors.push(
      ruleError([String(at), 'needs'], `the steps need each other in a cycle: ${shorten(cycle).join(' → ')}`),
    );
  }
  return errors;
}

export function unknownStep(id: string, ids: Iterable<string>): string {
  const near = nearest(id, [...ids]);
  return `there is no step \`${id}\`${near === undefined ? '' : `: did you mean \`${near}\`?`}`;
}

function shorten(cycle: readonly string[]): readonly string[] {
  return cycle.length > 10 ? [...cycle.slice(0, 4), '…', ...cycle.slice(-3)] : cycle;
}

/**
 * Sorts steps so that each one comes after the steps that it needs, and otherwise keeps the order of the file. Leaves
 * out steps that are in a cycle or that need a step in a cycle.
 */
export function inGraphOrder<T extends Node>(steps: readonly T[]): T[] {
  const nodes = new Map<string, Waiting<T>>(
    steps.map((step, index) => [step.id, { step, index, openNeeds: 0, dependents: [] }]),
  );
  const ready = createBinaryHeap<Waiting<T>>((a, b) => a.index < b.index);
  for (const node of nodes.values()) {
    const needs = (node.step.needs ?? []).flatMap((need) => nodes.get(need) ?? []);
    node.openNeeds = needs.length;
    for (const need of needs) need.dependents.push(node);
    if (needs.length === 0) ready.add(node);
  }
  const order: T[] = [];
  for (let next = ready.first(); next; next = ready.first()) {
    ready.remove(next);
    order.push(next.step);
    for (const dependent of next.dependents) {
      dependent.openNeeds -= 1;
      if (dependent.openNeeds === 0) ready.add(dependent);
    }
  }
  return order;
}

/** For example `build → test → build`; undefined when there is no cycle. */
function findCycle(steps: readonly Node[]): string[] | undefined {
  const ordered = new Set(inGraphOrder(steps).map(({ id }) => id));
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

/** Tells whether `before` always ends before `id` begins. */
export function createPrecedence(steps: readonly Node[]): (before: string, id: string) => boolean {
  const indexes = new Map(steps.map(({ id }, at) => [id, at]));
  const bitOf = (id: string) => 1n << BigInt(indexes.get(id) ?? 0);
  /**
   * For each step, the steps that end before it begins, as a number with one bit for each of these steps. This stays
   * cheap for 500 steps that need each other.
   */
  const masks = new Map<string, bigint>();
  for (const { id, needs = [] } of inGraphOrder(steps)) {
    const known = needs.filter((need) => indexes.has(need));
    masks.set(
      id,
      known.reduce((mask, need) => mask | bitOf(need) | (masks.get(need) ?? 0n), 0n),
    );
  }
  return (before, id) => ((masks.get(id) ?? 0n) & bitOf(before)) !== 0n;
}
