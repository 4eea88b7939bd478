// What the loop has asked of the server and what it was told: the other side of the books, against which the database, the
// logs and the process table are held afterwards.

import type { PowerCut } from './power-cut.ts';
import type { ScriptArgs } from './scripts.ts';
import type { Exit } from './victim.ts';

/** A request for a run; it may be sent again with its key until it is answered. */
export type Order = {
  /** Its label on the run. */
  readonly name: string;
  readonly jobId: string;
  readonly args: ScriptArgs;
  readonly key: string | null;
  /** The run of each answer. */
  readonly answers: string[];
  isCancelled: boolean;
};

type StaleWrite = { readonly runId: string; readonly isChanged: boolean };

export type Ledger = {
  readonly orders: Order[];
  /** Runs whose shim was killed. */
  readonly shimsKilled: Set<string>;
  /** When. An attempt that was just handed to one is not started. */
  readonly forkServersKilled: number[];
  readonly powerCuts: PowerCut[];
  /** Answers that no request of the loop should get. */
  readonly refusals: string[];
  readonly stops: Exit[];
  readonly staleWrites: StaleWrite[];
  /** Pid namespaces that were seen, as the shims named them. */
  readonly sandboxes: Map<string, { readonly initPid: number; readonly inode: number }>;
  /** Of every SIGKILL of the server. */
  readonly killedAtMs: number[];
  kills: number;
  killsDuringStart: number;
  /** Times that the server was stopped and went on (SIGSTOP, SIGCONT). */
  pauses: number;
};

export function openLedger(): Ledger {
  return {
    orders: [],
    shimsKilled: new Set(),
    powerCuts: [],
    refusals: [],
    stops: [],
    staleWrites: [],
    sandboxes: new Map(),
    killedAtMs: [],
    kills: 0,
    killsDuringStart: 0,
    forkServersKilled: [],
    pauses: 0,
  };
}
