// Keeps the heap of a server small. V8 assumes a program that uses the whole machine for a short time; a server is idle
// most of the time, for months (docs/benchmarks.md, Memory).

import { setFlagsFromString } from 'node:v8';

/**
 * The young generation stays at 2 to 4 MB. V8 would let it grow to 64 MB and seldom give it back. On the command
 * line, a factor of 1 has no effect; only the largest size can be set there.
 *
 * Call this when the server's modules are loaded. V8 does not accept compiled code that was stored with other flags,
 * neither that of Node's own modules nor ours.
 */
export function keepYoungHeapSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}

/**
 * The old generation is collected early, as in a process that is short of memory. Call this once the server listens.
 * Earlier, V8 would collect the heap during the start, when hardly anything in it is garbage.
 */
export function collectEarly(): void {
  setFlagsFromString('--memory-saver-mode');
}
