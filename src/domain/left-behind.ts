// The files that a run leaves where nothing keeps them, as it is said in the log and by each interface.

export type LeftBehind = {
  readonly count: number;
  readonly bytes: number;
  /** Of some of them, fit to be shown: in the workspace relative to it, else from the root. */
  readonly names: readonly string[];
  /** There are more than were counted. */
  readonly more: boolean;
};

/** Where the counting stops. */
export const mostLeftFiles = 10_000;
export const mostLeftNames = 20;

const mostTold = 5;

/** @param size how the interface writes bytes */
export function leftBehindWords({ count, names, bytes, more }: LeftBehind, size: (bytes: number) => string): string {
  const isOne = count === 1 && !more;
  const files = `${more ? 'more than ' : ''}${count.toLocaleString('en')} ${isOne ? 'file' : 'files'}`;
  const told = names.slice(0, mostTold);
  const rest = told.length < count || more ? ', …' : '';
  const [are, them] = isOne ? ['is', 'it'] : ['are', 'them'];
  return (
    `${files} (${size(bytes)}) left in the workspace or /tmp ${are} not kept: ${told.join(', ')}${rest}; ` +
    `artifacts.paths would keep ${them}, permissions.write would put ${them} on the host`
  );
}
