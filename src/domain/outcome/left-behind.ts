// Describes the files that a run has left in places where flwd does not keep them. The log and each interface show this
// text.

import { sizeWords } from '../../lib/units.ts';

export type LeftBehind = {
  readonly count: number;
  readonly bytes: number;
  /** Some of the files, with names that are safe to show: relative to the workspace, or absolute. */
  readonly names: readonly string[];
  /** True if there are more files than were counted. */
  readonly more: boolean;
};

/** Stops counting at this many files. */
export const mostLeftFiles = 10_000;
export const mostLeftNames = 20;

const mostTold = 5;

export function leftBehindWords({ count, names, bytes, more }: LeftBehind): string {
  const isOne = count === 1 && !more;
  const files = `${more ? 'more than ' : ''}${count.toLocaleString('en')} ${isOne ? 'file' : 'files'}`;
  const told = names.slice(0, mostTold);
  const rest = told.length < count || more ? ', …' : '';
  const [are, them] = isOne ? ['is', 'it'] : ['are', 'them'];
  return (
    `${files} (${sizeWords(bytes)}) left in the workspace or /tmp ${are} not kept: ${told.join(', ')}${rest}; ` +
    `artifacts.paths would keep ${them}, permissions.write would put ${them} on the host`
  );
}
