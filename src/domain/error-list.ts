// Collects the errors that all checks find in one request, so that a single answer can list them all.

import type { ValidationError } from './problem.ts';

/**
 * Limits how many errors an answer lists. Further errors are only counted. A body of 1 MiB can have 520,000 errors, and
 * one long name can be part of every pointer. Such an answer would have 50 MB, or even gigabytes. Writing the messages
 * of ten thousand errors takes 0.3 s, and nobody would read them.
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
    /** The number of all errors, including those that are only counted. */
    get size(): number {
      return named.size + unnamed;
    },
    get unnamed(): number {
      return unnamed;
    },
    /** True if another error would only be counted, so that nobody needs to write its message. */
    get isFull(): boolean {
      return isFull();
    },
    /** Adds an error. An error that is already listed is not counted again. */
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
    /** Counts errors that have no message. */
    addUnnamed(count: number): void {
      unnamed += count;
    },
    /**
     * The listed errors, grouped by member of the body. Within a group they keep the order in which they were found.
     */
    named: inOrder,
    /** Like `named`, but if some errors were only counted, a last entry says how many. */
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
