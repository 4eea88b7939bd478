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

/** A client that has ended, and what it printed; of a client in this process the lines it was shown, as JSON. */
export type Told = {
  readonly kind: 'run' | 'logs' | 'events' | 'stream';
  /** What a command that runs a job asked for. */
  readonly order: string | undefined;
  readonly runId: string | undefined;
  readonly endedAtMs: number;
  /** `killed` by a power cut; `never` within the time that all runs need to end. */
  readonly end: number | 'killed' | 'never';
  readonly stdout: string;
  readonly stderr: string;
};

export type Ledger = {
  readonly orders: Order[];
  readonly told: Told[];
  /** Runs whose shim was killed. */
  readonly shimsKilled: Set<string>;
  /** When. An attempt that was just handed to one is not started. */
  readonly forkServersKilled: number[];
  readonly powerCuts: PowerCut[];
  /** Answers that no request of the loop should get. */
  readonly refusals: string[];
  readonly stops: Exit[];
  readonly staleWrites: StaleWrite[];
  /** What each engine took that was opened beside the server, on its database. */
  readonly secondEngines: { readonly taken: readonly string[] }[];
  /** Pid namespaces that were seen, as the shims named them. */
  readonly sandboxes: Map<string, { readonly initPid: number; readonly inode: number }>;
  /** Of every SIGKILL of the server: what it was putting away is left to a later start. */
  readonly killedAtMs: number[];
  /** Folders of runs that had ended when the server was stopped by SIGTERM, and were there after it. */
  readonly leftAtStops: string[];
  /** From the end of a server until the next one listened. */
  readonly absences: { readonly fromMs: number; readonly toMs: number }[];
  kills: number;
  killsDuringStart: number;
  /** Times that the server was stopped and went on (SIGSTOP, SIGCONT). */
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
