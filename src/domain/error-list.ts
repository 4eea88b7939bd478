// Collects the errors of one request from all its checks, so that a single answer names them all.

import type { ValidationError } from './problem.ts';

/**
 * A body of 1 MiB can have 520,000 errors, and one long name can be part of every pointer: an answer of 50 MB, or of
 * gigabytes. Above either bound, errors are only counted. Nobody reads more, and wording ten thousand errors takes 0.3
 * s.
 */
const mostErrors = 100;
const mostChars = 2 ** 17;

export type ErrorList = ReturnType<typeof createErrorList>;

export function createErrorList() {
  const named = new Map<string, ValidationError>();
  let chars = 0;
  let unnamed = 0;
  const isFull = () => named.size >= mostErrors || chars >= mostChars;
  const inOrder = () => [...named.values()].toSorted(byMember);
  return {
    /** The number of all errors, listed or not. */
    get size(): number {
      return named.size + unnamed;
    },
    get unnamed(): number {
      return unnamed;
    },
    /** True when another error would only be counted, so there is no need to word it. */
    get isFull(): boolean {
      return isFull();
    },
    /** An error that is already listed does not count again. */
    add(error: ValidationError): void {
      if (isFull()) {
        unnamed += 1;
        return;
      }
      const key = `${error.pointer}\n${error.message}`;
      if (named.has(key)) return;
      named.set(key, error);
      chars += key.length;
    },
    /** Counts errors that have no wording. */
    addUnnamed(count: number): void {
      unnamed += count;
    },
    /** Grouped by member of the body, each group in the order of discovery. */
    named: inOrder,
    /** Like `named`, with a last entry that says how many errors were only counted. */
    errors(): ValidationError[] {
      const more = { pointer: '', message: `has ${unnamed} more errors`, keyword: 'more' };
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
