// Gathers the errors of one request from everything that checks it, so that one answer names them all.

import type { ValidationError } from './problem.ts';

/**
 * A body of 1 MiB can hold 520,000 errors, and one long name can stand in the pointer of each: an answer of 50 MB, or
 * of gigabytes. Past either bound errors are only counted: nobody reads more, and to find words for ten thousand takes
 * 0.3 s.
 */
const mostErrors = 100;
const mostChars = 2 ** 17;

export type ErrorList = {
  /** Of all, named or not. */
  readonly size: number;
  readonly unnamed: number;
  /** The next one would only be counted: no need to find words for it. */
  readonly isFull: boolean;
  /** The same error again is one error, among those that are named. */
  add(error: ValidationError): void;
  /** Counts errors that nobody has put into words. */
  addUnnamed(count: number): void;
  /** By the member of the body they are in; each member's in the order in which they were found. */
  named(): ValidationError[];
  /** The same, and a last one that says how many were counted only. */
  errors(): ValidationError[];
};

export function createErrorList(): ErrorList {
  const named = new Map<string, ValidationError>();
  let chars = 0;
  let unnamed = 0;
  const isFull = () => named.size >= mostErrors || chars >= mostChars;
  const inOrder = () => [...named.values()].toSorted(byMember);
  return {
    get size() {
      return named.size + unnamed;
    },
    get unnamed() {
      return unnamed;
    },
    get isFull() {
      return isFull();
    },
    add(error) {
      if (isFull()) {
        unnamed += 1;
        return;
      }
      const key = `${error.pointer}\n${error.message}`;
      if (named.has(key)) return;
      named.set(key, error);
      chars += key.length;
    },
    addUnnamed(count) {
      unnamed += count;
    },
    named: inOrder,
    errors() {
      const more = { pointer: '', message: `has ${unnamed} more faults`, keyword: 'more' };
      return unnamed > 0 ? [...inOrder(), more] : inOrder();
    },
  };
}

function byMember(a: ValidationError, b: ValidationError): number {
  const [one, other] = [memberOf(a), memberOf(b)];
  return one < other ? -1 : one > other ? 1 : 0;
}

function memberOf({ pointer }: ValidationError): string {
  const end = pointer.indexOf('/', 1);
  return end < 0 ? pointer : pointer.slice(0, end);
}
