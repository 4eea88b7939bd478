// Reproducible random numbers: the same seed gives the same numbers (mulberry32).

export type Random = {
  /** 0 ≤ n < 1 */
  readonly number: () => number;
  /** Both ends are included. */
  readonly integer: (from: number, to: number) => number;
  readonly chance: (of: number) => boolean;
  readonly pick: <T>(from: readonly [T, ...T[]]) => T;
  /** A separate stream, so that the numbers of one part do not depend on those of another. */
  readonly fork: () => Random;
};

export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  function number(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
  const integer = (from: number, to: number): number => from + Math.floor(number() * (to - from + 1));
  return {
    number,
    integer,
    chance: (of) => number() < of,
    pick: (from) => from[integer(0, from.length - 1)] ?? from[0],
    fork: () => createRandom(integer(0, 2 ** 31)),
  };
}
