// What starts attempts and ends them, as the engine sees it. proc/ does so with processes of this host; the engine knows
// nothing of how.

import type { CancelSignal, Network, SecurityProfile } from '../domain/job.ts';
import type { LimitReport, Resources } from '../domain/resources.ts';
import type { Isolation, Termination } from '../domain/run.ts';
import type { AttemptSpec } from './attempt-spec.ts';

export type Executor = {
  /** What this host can do for a run of the profile. */
  readonly report: (profile: SecurityProfile) => ProfileReport;
  /** What is in force for a run of the profile on this host. */
  readonly isolation: (profile: SecurityProfile, network: Network) => Isolation;
  /** @throws where the host lacks disk space, descriptors or memory; it may be asked again. Everything else is an end. */
  readonly launch: (request: AttemptRequest) => AttemptProcess;
  /**
   * Attends to an attempt that a former server started. undefined when it never began; then it never will, so it can be
   * launched. `hasBegun`: it is known to have begun, so where nothing is left of it, it is lost.
   * @throws the system's error when there is no telling at present
   */
  readonly resume: {
    (attemptDir: string, hasBegun: true): AttemptProcess;
    (attemptDir: string): AttemptProcess | undefined;
  };
  /** Whether any process may be left of the attempts of a run. */
  readonly isRunAlive: (runDir: string) => boolean;
};

/** What the executor adds is how this host holds it to its resources. */
export type AttemptRequest = AttemptSpec & { readonly resources: Resources };

export type Capability = {
  readonly available: boolean;
  /** What it lacks, and what to do about it. */
  readonly detail: string | null;
};

export type Capabilities = Readonly<Record<SecurityProfile, Capability>>;

export type ProfileReport = Capability & {
  /** False: the script would be started on the host as it is (ADR 0031). */
  readonly isSandboxed: boolean;
  /** How a run is held to its limits. */
  readonly limits: LimitReport;
  /** What a run gets, and may ask for at most, where neither job nor instance says; null: no limit. */
  readonly defaultMemoryBytes: number | null;
};

export type AttemptProcess = {
  readonly spoolPath: string;
  /** Whether it has come so far as to make its spool. @throws the system's error when there is no telling at present */
  readonly hasBegun: () => boolean;
  /** All output is in the spool, and no process is left. Does not keep the server from exiting. Rejects for a bug alone. */
  readonly ended: Promise<AttemptEnd>;
  /** Once is enough: calling it again answers with the same proof. */
  readonly terminate: (ladder: Ladder) => Promise<Termination>;
};

/**
 * How an attempt ended. `signal` without SIG. A script that exits with 143 by itself reads as ended by TERM. `outOfMemory`: it failed,
 * and the kernel had ended a process of it at its limit of memory; only a cgroup can tell.
 */
export type AttemptEnd =
  | { readonly kind: 'exited'; readonly code: number; readonly outOfMemory?: true }
  | { readonly kind: 'signalled'; readonly signal: string; readonly outOfMemory?: true }
  /** `message`: why, where that is known. */
  | { readonly kind: 'lost'; readonly message?: string }
  /** `cause` is an error of flwd itself, to be logged. */
  | { readonly kind: 'not-started'; readonly message: string; readonly cause?: unknown };

/** The steps by which an attempt is ended. */
export type Ladder = {
  readonly signal: CancelSignal;
  readonly graceMs: number;
  /** Cuts the grace period short. */
  readonly hurry?: AbortSignal;
  /** A signal was sent, to so many processes. */
  readonly onSignal?: (signal: string, processes: number) => void;
};
