// Numbers that look random, for made-up data.

/** The same sequence of numbers between 0 and 1 each time: xorshift32. */
export function createDraw(): () => number {
  let state = 0x2545_f491;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
