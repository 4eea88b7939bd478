// The interface through which the engine starts and ends attempts. proc/ implements it with processes of this host; the
// engine does not know how.

import type { CancelSignal, Network, SecurityProfile } from '../domain/job.ts';
import type { LimitReport, Resources } from '../domain/resources.ts';
import type { Isolation, RunAs, Termination } from '../domain/run.ts';
import type { AttemptSpec } from './attempt-spec.ts';

export type Executor = {
  /** What this host can do for a run of the profile. */
  readonly report: (profile: SecurityProfile) => ProfileReport;
  /** The isolation of a run of the profile on this host. */
  readonly isolation: (profile: SecurityProfile, network: Network, runAs: RunAs | null) => Isolation;
  /** Returns the user of the host or, as the end of a sentence, why a job of the profile cannot run as this user. */
  readonly findUser: (user: string, profile: SecurityProfile) => Promise<RunAs | string>;
  /**
   * @throws when the host lacks disk space, descriptors or memory; then the launch can be retried. Any other failure
   * ends the attempt.
   */
  readonly launch: (request: AttemptRequest) => AttemptProcess;
  /**
   * Resumes an attempt that a former server started. Returns undefined if it never began. Then it never will, so it can
   * be launched again. With `hasBegun`, the caller knows that it began: if nothing is left of it, it is lost.
   * @throws the system's error when it cannot be determined at present
   */
  readonly resume: {
    (attemptDir: string, hasBegun: true): AttemptProcess;
    (attemptDir: string): AttemptProcess | undefined;
  };
  /** Whether any process may be left of the run's attempts. */
  readonly isRunAlive: (runDir: string) => boolean;
};

/** The attempt, and the resource limits that the executor applies on this host. */
export type AttemptRequest = AttemptSpec & { readonly resources: Resources };

export type Capability = {
  readonly available: boolean;
  /** The missing part, and what to do about it. */
  readonly detail: string | null;
};

export type Capabilities = Readonly<Record<SecurityProfile, Capability>>;

export type ProfileReport = Capability & {
  /** False means that the script would start directly on the host (ADR 0031). */
  readonly isSandboxed: boolean;
  /** How the limits of a run are enforced. */
  readonly limits: LimitReport;
  /**
   * The default memory limit, which is also the most that a job may ask for, when neither the job nor the instance sets
   * one; null means no limit.
   */
  readonly defaultMemoryBytes: number | null;
};

export type AttemptProcess = {
  readonly spoolPath: string;
  /** Whether the attempt has created its spool. @throws the system's error when it cannot be determined at present */
  readonly hasBegun: () => boolean;
  /**
   * Resolves when all output is in the spool and no process is left. Does not keep the server from exiting. Rejects
   * only because of a bug.
   */
  readonly ended: Promise<AttemptEnd>;
  /** When the script ended, in milliseconds since the epoch, if that was before the attempt was resumed. */
  readonly endedBeforeAtMs?: number;
  /** Calling it again returns the same proof. */
  readonly terminate: (ending: Ending) => Promise<Termination>;
};

/**
 * How an attempt ended. `signal` has no SIG. A script that exits with 143 itself looks as if TERM ended it.
 * `outOfMemory` means that it failed after the kernel had ended one of its processes at the memory limit; only a cgroup
 * can tell.
 */
export type AttemptEnd =
  | { readonly kind: 'exited'; readonly code: number; readonly outOfMemory?: true }
  | { readonly kind: 'signalled'; readonly signal: string; readonly outOfMemory?: true }
  /** `message` is the reason, when it is known. */
  | { readonly kind: 'lost'; readonly message?: string }
  /** `cause` is an error in flwd itself, for the server log. */
  | { readonly kind: 'not-started'; readonly message: string; readonly cause?: unknown };

/** The steps that end an attempt. */
export type Ending = {
  readonly signal: CancelSignal;
  readonly graceMs: number;
  /** Cuts the grace period short. */
  readonly hurry?: AbortSignal;
  /** Called for each signal, with the number of processes it was sent to. */
  readonly onSignal?: (signal: string, processes: number) => void;
};
