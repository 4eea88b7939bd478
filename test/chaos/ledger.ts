// Records what the loop has requested from the server and how the server responded. Afterwards, the database, the logs
// and the process table are compared with this record.

import type { PowerCut } from './power-cut.ts';
import type { ScriptArgs } from './scripts.ts';
import type { Exit } from './victim.ts';

/** A request for a run. It may be sent again with its key until it gets a response. */
export type Order = {
  /** The label of the run. */
  readonly name: string;
  readonly jobId: string;
  readonly args: ScriptArgs;
  readonly key: string | null;
  /** The run that each response named. */
  readonly answers: string[];
  isCancelled: boolean;
};

type StaleWrite = { readonly runId: string; readonly isChanged: boolean };

/** A client that has ended, and its output. For a client in this process, the lines it received, as JSON. */
export type Told = {
  readonly kind: 'run' | 'logs' | 'events' | 'stream';
  /** The order of a command that runs a job. */
  readonly order: string | undefined;
  readonly runId: string | undefined;
  readonly endedAtMs: number;
  /** `killed` by a power cut; `never` if it did not end within the time that all runs need. */
  readonly end: number | 'killed' | 'never';
  readonly stdout: string;
  readonly stderr: string;
};

export type Ledger = {
  readonly orders: Order[];
  readonly told: Told[];
  /** The runs whose shim was killed. */
  readonly shimsKilled: Set<string>;
  /** When fork servers were killed. An attempt that one of them had just received was not started. */
  readonly forkServersKilled: number[];
  readonly powerCuts: PowerCut[];
  /** Unexpected responses. */
  readonly refusals: string[];
  readonly stops: Exit[];
  readonly staleWrites: StaleWrite[];
  /** The runs that each second engine on the server's database took. */
  readonly secondEngines: { readonly taken: readonly string[] }[];
  /** The pid namespaces of sandboxes, as the shims reported them. */
  readonly sandboxes: Map<string, { readonly initPid: number; readonly inode: number }>;
  /** The runs that the server was putting away at each SIGKILL. A later start finishes that. */
  readonly killedAtMs: number[];
  /** The folders of ended runs that were left after the server stopped on SIGTERM. */
  readonly leftAtStops: string[];
  /** The times from the end of a server until the next one listened. */
  readonly absences: { readonly fromMs: number; readonly toMs: number }[];
  kills: number;
  killsDuringStart: number;
  /** How often the server was paused and resumed (SIGSTOP, SIGCONT). */
  pauses: number;
};

export function openLedger(): Ledger {
  return {
    orders: [],
    told: [],
    shimsKilled: new Set(),
    powerCuts: [],
    refusals: [],
    stops: [],
    staleWrites: [],
    secondEngines: [],
    sandboxes: new Map(),
    killedAtMs: [],
    leftAtStops: [],
    absences: [],
    kills: 0,
    killsDuringStart: 0,
    forkServersKilled: [],
    pauses: 0,
  };
}
