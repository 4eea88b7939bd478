// The state of a log, from which its writer continues. Every segment but the first begins with a chunk that contains
// the state and no lines. So a later process has to read only the last segment.

import { type Chunk, readChunk, type SpoolPosition, saysSpool, spoolKey, textStartOf, writeHead } from './log-chunk.ts';
import { noStep } from './log-placeholder.ts';

export type LogState = {
  lastSeq: number;
  lastAtUs: number;
  /** How much text is stored so far, in bytes. */
  textBytes: number;
  /** How far each spool was stored or left out, by `spoolKey`. A later process continues there. */
  readonly spool: Map<string, SpoolPosition>;
  /** The lines that were left out and that no line of the log mentions yet. */
  omitted: Omission | undefined;
};

/** Lines that were left out. `attempt` and `stepId` belong to the last of them. */
export type Omission = {
  readonly attempt: number;
  readonly stepId: string;
  /** null if some of the lines were left out without being read. */
  readonly lineCount: number | null;
  readonly textBytes: number;
};

type StateText = { textBytes: number; spool: [string, SpoolPosition][]; omitted?: Omission };

export function emptyState(): LogState {
  return { lastSeq: 0, lastAtUs: 0, textBytes: 0, spool: new Map(), omitted: undefined };
}

export function encodeState({ lastSeq, lastAtUs, textBytes, spool, omitted }: LogState): Buffer {
  const text = JSON.stringify({ textBytes, spool: [...spool], ...(omitted && { omitted }) } satisfies StateText);
  const textStart = textStartOf(0, '');
  const chunk = Buffer.alloc(textStart + Buffer.byteLength(text));
  chunk.write(text, textStart);
  writeHead(chunk, 0, chunk.length, chunk.length - textStart, {
    firstSeq: lastSeq + 1,
    lineCount: 0,
    firstAtUs: lastAtUs,
    highestLevel: 0,
    attempt: 0,
    stepId: '',
    spool: { offset: 0, aheadBytes: 0 },
  });
  return chunk;
}

/** Updates the state with a chunk. The chunks must be passed in their order. */
export function advance(state: LogState, chunk: Chunk): void {
  if (chunk.lineCount === 0) {
    const said: StateText = JSON.parse(chunk.file.toString('utf8', chunk.textStart, chunk.textEnd));
    state.lastSeq = chunk.firstSeq - 1;
    state.lastAtUs = chunk.firstAtUs;
    state.textBytes = said.textBytes;
    state.omitted = said.omitted;
    for (const [key, position] of said.spool) state.spool.set(key, position);
    return;
  }
  state.lastSeq = chunk.firstSeq + chunk.lineCount - 1;
  state.lastAtUs = chunk.firstAtUs + chunk.lineCount - 1;
  state.textBytes += chunk.textEnd - chunk.textStart;
  if (chunk.stepId !== noStep && saysSpool(chunk)) state.spool.set(spoolKey(chunk), chunk.spool);
}

/** Updates the state with all chunks of a file. The file must contain whole chunks only. */
export function advanceOver(state: LogState, file: Buffer): void {
  eachChunk(file, (chunk) => advance(state, chunk));
}

/** Calls `visit` for each chunk of a file. The file must contain whole chunks only. */
export function eachChunk(file: Buffer, visit: (chunk: Chunk) => void): void {
  for (let start = 0; start < file.length; ) {
    const chunk = readChunk(file, start);
    visit(chunk);
    start = chunk.end;
  }
}
