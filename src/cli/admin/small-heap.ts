// Keeps the heap of a server small. V8 expects a program to use the whole machine for a short time. A server runs for
// months and is idle most of the time (docs/benchmarks.md, Memory).

import { setFlagsFromString } from 'node:v8';

/**
 * The young generation stays at 2 to 4 MB. V8 would let it grow to 64 MB and seldom give it back. Node's command line
 * accepts the largest size, but ignores the growth factor, so the factor is set here.
 *
 * Call this after the server's modules have loaded. When a flag changes, V8 rejects all compiled code in its caches, so
 * every module that loads later would have to be compiled again.
 */
export function keepYoungHeapSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}

/**
 * The old generation is collected early, as in a process that is short of memory. Call this once the server listens. If
 * it is called earlier, V8 collects the heap during the start, when hardly anything in it is garbage.
 */
export function collectEarly(): void {
  setFlagsFromString('--memory-saver-mode');
}
