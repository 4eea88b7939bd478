// The interface through which the engine starts and ends attempts. proc/ implements it with processes of this host, and
// the engine knows nothing of processes.

import type { CancelSignal, Network, SecurityProfile } from '../domain/job.ts';
import type { LimitReport, Resources } from '../domain/resources.ts';
import type { Isolation, RunAs, Termination } from '../domain/run.ts';
import type { AttemptSpec } from './attempt-spec.ts';

export type Executor = {
  /** Reports what this host can enforce for a run of the profile. */
  readonly report: (profile: SecurityProfile) => ProfileReport;
  /** Describes the isolation of a run of the profile on this host. */
  readonly isolation: (profile: SecurityProfile, network: Network, runAs: RunAs | null) => Isolation;
  /**
   * Returns the host user. If a job of the profile cannot run as this user, returns the reason, worded as the end of a
   * sentence.
   */
  readonly findUser: (user: string, profile: SecurityProfile) => Promise<RunAs | string>;
  /**
   * @throws if the host lacks disk space, descriptors or memory. The launch can then be retried. Any other failure ends
   * the attempt.
   */
  readonly launch: (request: AttemptRequest) => AttemptProcess;
  /**
   * Resumes an attempt that a former server started. If the attempt has not begun, gives up its start and returns
   * undefined, so the caller can launch it again. With `hasBegun`, the attempt is known to have begun, so it counts as
   * lost if nothing is left of it.
   * @throws the system's error if the state of the attempt cannot be determined at present
   */
  readonly resume: {
    (attemptDir: string, hasBegun: true): AttemptProcess;
    (attemptDir: string): AttemptProcess | undefined;
  };
  /** Whether a process of any of the run's attempts may still be alive. */
  readonly isRunAlive: (runDir: string) => boolean;
};

/** The attempt, and the resource limits that the executor applies on this host. */
export type AttemptRequest = AttemptSpec & { readonly resources: Resources };

export type Capability = {
  readonly available: boolean;
  /** What the host lacks, and what to do about it. */
  readonly detail: string | null;
};

export type Capabilities = Readonly<Record<SecurityProfile, Capability>>;

export type ProfileReport = Capability & {
  /** If false, the script would start directly on the host (ADR 0031). */
  readonly isSandboxed: boolean;
  /** How the limits of a run are enforced. */
  readonly limits: LimitReport;
  /**
   * The memory limit of a job if neither the job nor the instance sets one; null means no limit. If the instance sets
   * no limit, a job cannot ask for more than this.
   */
  readonly defaultMemoryBytes: number | null;
};

export type AttemptProcess = {
  readonly spoolPath: string;
  /**
   * Whether the attempt has created its spool.
   * @throws the system's error if this cannot be determined at present
   */
  readonly hasBegun: () => boolean;
  /**
   * Resolves when all output is in the spool and no process is left. Rejects only because of a bug. A server can exit
   * while this is pending.
   */
  readonly ended: Promise<AttemptEnd>;
  /**
   * The time when the script ended, in milliseconds since the epoch. Left out if it had not ended when the attempt was
   * resumed.
   */
  readonly endedBeforeAtMs?: number;
  /** Ends the attempt. A second call returns the result of the first one. */
  readonly terminate: (ending: Ending) => Promise<Termination>;
};

/**
 * How an attempt ended. `signal` is the name without SIG. A script that exits with 143 by itself looks like one that
 * TERM ended. `outOfMemory` means that the attempt failed after the kernel had ended one of its processes at the memory
 * limit. Only a cgroup reports this.
 */
export type AttemptEnd =
  | { readonly kind: 'exited'; readonly code: number; readonly outOfMemory?: true }
  | { readonly kind: 'signalled'; readonly signal: string; readonly outOfMemory?: true }
  /** `message` is the reason, if it is known. */
  | { readonly kind: 'lost'; readonly message?: string }
  /** `cause` is an error in flwd itself, for the server log. */
  | { readonly kind: 'not-started'; readonly message: string; readonly cause?: unknown };

/** How to end an attempt: the first signal, and the time before SIGKILL. */
export type Ending = {
  readonly signal: CancelSignal;
  readonly graceMs: number;
  /** When it is aborted, the grace period ends at once. */
  readonly graceEnd?: AbortSignal;
  /** Called for each signal, with the number of processes it was sent to. */
  readonly onSignal?: (signal: string, processes: number) => void;
};
