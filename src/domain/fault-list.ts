// Gathers the faults of one request from everything that checks it, so that one answer names them all.

import type { Fault } from './problem.ts';

/**
 * A body of 1 MiB can hold 520,000 faults, and one long name can stand in the pointer of each: an answer of 50 MB, or of
 * gigabytes. Past either bound faults are only counted; ten thousand are an answer of 1 MB.
 */
const mostFaults = 10_000;
const mostChars = 4 * 2 ** 20;

export type FaultList = {
  readonly size: number;
  /** The next one would only be counted: no need to find words for it. */
  readonly isFull: boolean;
  /** The same fault again is one fault, among those that are named. */
  add(fault: Fault): void;
  /** Counts faults that nobody has put into words. */
  addUnnamed(count: number): void;
  /**
   * By the member of the body they are in; each member's in the order in which they were found. A last one says how many
   * were counted only.
   */
  faults(): Fault[];
};

export function createFaultList(): FaultList {
  const named = new Map<string, Fault>();
  let chars = 0;
  let unnamed = 0;
  const isFull = () => named.size >= mostFaults || chars >= mostChars;
  return {
    get size() {
      return named.size + unnamed;
    },
    get isFull() {
      return isFull();
    },
    add(fault) {
      if (isFull()) {
        unnamed += 1;
        return;
      }
      const key = `${fault.pointer}\n${fault.message}`;
      if (named.has(key)) return;
      named.set(key, fault);
      chars += key.length;
    },
    addUnnamed(count) {
      unnamed += count;
    },
    faults() {
      const more = { pointer: '', message: `has ${unnamed} more faults`, keyword: 'more' };
      return [...[...named.values()].toSorted(byMember), ...(unnamed > 0 ? [more] : [])];
    },
  };
}

function byMember(a: Fault, b: Fault): number {
  const [one, other] = [memberOf(a), memberOf(b)];
  return one < other ? -1 : one > other ? 1 : 0;
}

function memberOf({ pointer }: Fault): string {
  const end = pointer.indexOf('/', 1);
  return end < 0 ? pointer : pointer.slice(0, end);
}
