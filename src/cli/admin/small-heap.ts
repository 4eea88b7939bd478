// Keeps the heap of a server small. V8 is made for programs that have the machine to themselves for a moment; a server lies idle
// most of the time, and for months (docs/benchmarks.md, Memory).

import { setFlagsFromString } from 'node:v8';

/**
 * To be called before the server's modules are loaded: their loading is a burst of garbage.
 * - The young generation stays as small as it is, 2 to 4 MB; V8 would let it grow to 64 and seldom give it back. As a flag of
 *   the command line a factor of 1 does nothing, and the largest size can only be set there.
 * - What outlives it is looked through earlier, as in a process that is short of memory.
 */
export function keepHeapSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
  setFlagsFromString('--memory-saver-mode');
}
