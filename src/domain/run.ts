// A run is one execution of a job. This module defines what a run consists of and which changes of its status are
// legal. It knows nothing of storage, processes or HTTP.

import type { JobDefinition, JsonObject, JsonValue, Network, SecurityProfile } from './job.ts';
import type { KvPermissions } from './kv.ts';
import type { LeftBehind } from './outcome/left-behind.ts';
import type { UsingSource } from './policy.ts';
import type { Starter } from './principal.ts';
import type { Resources, RunLimits } from './resources.ts';
import type { Trace } from './trigger/trace.ts';

export const runStatuses = ['pending', 'running', 'success', 'failed', 'cancelled'] as const;
export type RunStatus = (typeof runStatuses)[number];

/** Why a run waits while its instance is not ready to start runs, or starts no more runs. */
export const startingWords = 'the server is starting or stopping';

export type RunReason =
  | 'exit'
  | 'signal'
  | 'timeout'
  | 'out_of_memory'
  | 'lost'
  | 'start_failed'
  | 'upstream_failed'
  | 'approval_denied'
  | 'invalid_result'
  | 'artifact_too_large'
  | 'artifact_not_stored'
  | 'quota_exceeded';

/**
 * All legal changes of a run's status. The store checks and makes each change in a single statement, so two changes
 * cannot race.
 */
export const runMoves = {
  claim: { from: ['pending'], to: 'running' },
  succeed: { from: ['running'], to: 'success' },
  fail: { from: ['running'], to: 'failed' },
  /** The run waited too long in the queue, or cannot be started. */
  expire: { from: ['pending'], to: 'failed' },
  /** The run was cancelled before it was claimed. */
  withdraw: { from: ['pending'], to: 'cancelled' },
  /** The run was cancelled, and all its processes have ended. */
  cancel: { from: ['running'], to: 'cancelled' },
} as const satisfies Record<string, { from: readonly RunStatus[]; to: RunStatus }>;
export type RunMove = keyof typeof runMoves;

export function isFinished(status: RunStatus): boolean {
  return status !== 'pending' && status !== 'running';
}

export type RunError = {
  readonly message: string;
  readonly step_id?: string;
  /** What the failure means for the job, and what to change. Missing if nothing certain can be said. */
  readonly hint?: string;
  /**
   * How many others failed besides the step that the error names: other instances of the same step, and other steps.
   * Missing if nothing else failed.
   */
  readonly other_failures?: { readonly instances: number; readonly steps: number };
};

export type Namespace = 'mount' | 'pid' | 'user' | 'network' | 'ipc' | 'uts' | 'cgroup';

/** The isolation that was in force for a run. Runs that an earlier version of flwd stored lack the optional members. */
export type Isolation = {
  readonly pid_namespace: boolean;
  readonly network: Network;
  readonly filesystem: 'workspace' | 'host-read-only' | 'host';
  readonly environment: 'clean' | 'passthrough' | 'server';
  readonly no_new_privileges: boolean;
  readonly uid: number;
  /** The name of the user, if the job names one. */
  readonly user?: string;
  /** The namespaces that the run had to itself. */
  readonly namespaces?: readonly Namespace[];
  /** Whether the run has its own user namespace. */
  readonly user_namespace?: boolean;
  /** `server` means that the run had the same capabilities as the server. */
  readonly capabilities?: 'none' | 'server';
  /** The version of the system call filter; null means no filter. */
  readonly seccomp?: number | null;
};

export type Grant = {
  readonly kind: 'network' | 'read' | 'write' | 'kv_read' | 'kv_write';
  /** Only for `read` and `write`. */
  readonly path?: string;
  /** Only for `kv_read` and `kv_write`. */
  readonly namespace?: string;
};

export type Termination = {
  /** Each signal that was sent, when it was sent, and to how many processes. */
  readonly signals: readonly { readonly signal: string; readonly at: string; readonly processes: number }[];
  /** The number of processes of the run that were found afterwards. */
  readonly remaining: number;
  /**
   * Whether it is certain that no other process is left. Only a pid namespace makes it certain. Runs of version 0.1
   * lack this member, which then counts as true.
   */
  readonly proven?: boolean;
  readonly finished_at: string;
};

/**
 * The statuses that lists of runs can be filtered by. A run that waits for an approval has the status `running`; only
 * lists call it `waiting_approval`.
 */
export const listedStatuses = [...runStatuses, 'waiting_approval'] as const;
export type ListedStatus = (typeof listedStatuses)[number];

/** The statuses of runs that can be cancelled. They include `waiting_approval`, which only lists use. */
export const cancellableStatuses = ['pending', 'running', 'waiting_approval'] as const;

/** The statuses of a step: the statuses of a run, and two more. */
export const stepStatuses = [...runStatuses, 'skipped', 'waiting_approval'] as const;
export type StepStatus = (typeof stepStatuses)[number];

/** Why a step failed or was skipped. `run_ended` means that the run ended before the step could start. */
export type StepReason = RunReason | 'condition' | 'run_ended';

/** A `group` stands for all instances of a step with `matrix` or `foreach`. */
export type StepKind = 'command' | 'job' | 'approval' | 'group';

export type Decision = {
  readonly decision: 'approve' | 'deny';
  /** The name of the principal who answered. */
  readonly by: string;
  readonly comment: string | null;
};

export const triggerTypes = [
  'api',
  'cli',
  'console',
  'rerun',
  'schedule',
  'backfill',
  'webhook',
  'job',
  'job_ended',
  'file',
  'check',
  'mcp',
] as const;
/**
 * `job` means that a step of another run started this run, so it is a sub-run. `job_ended`, `file` and `check` mean
 * that a trigger started it, because another job ended, a file appeared, or a check found something.
 */
export type Trigger = { readonly type: (typeof triggerTypes)[number] } & Partial<TriggerCause>;

/** Why a trigger has started the run. */
export type TriggerCause = {
  readonly trigger_id: string;
  /** For `job_ended`: the run that has ended. */
  readonly run_id?: string;
  /** For `job_ended`: how many triggers led to this run, one after the other. */
  readonly chain?: number;
  /** For `job_ended`: the run that began the chain. No trigger that follows jobs led to it. */
  readonly first_run_id?: string;
  /** For `file`: the full path of the file. */
  readonly path?: string;
};

/** One attempt of a step. It never changes once it has ended. Where only one attempt is shown, it is the last. */
export type Step = {
  readonly step_id: string;
  readonly name: string;
  readonly kind: StepKind;
  readonly status: StepStatus;
  readonly reason: StepReason | null;
  /** Why the attempt ended, in words. */
  readonly message: string | null;
  /** See `RunError.hint`. A step that succeeded has a hint if its script lacked a program. */
  readonly hint: string | null;
  readonly attempt: number;
  readonly needs: readonly string[];
  /** The step that this step is an instance of. */
  readonly instance_of: string | null;
  /**
   * The item of a `foreach`, if it is a short text, a number or a boolean. It is never a secret, because expressions
   * cannot read secrets.
   */
  readonly item: string | null;
  /** The earliest time at which a retry may start. */
  readonly not_before: string | null;
  readonly started_at: string | null;
  readonly finished_at: string | null;
  readonly exit_code: number | null;
  /** For a group, each output is a JSON list with the values of all instances. */
  readonly outputs: Readonly<Record<string, string>>;
  /** The run that the step started. */
  readonly child_run_id: string | null;
  readonly approval: Decision | null;
  readonly termination: Termination | null;
};

export type Progress = { readonly percent: number; readonly message: string };

/** A run as the API returns it. Times are RFC 3339 with milliseconds. */
export type Run = {
  readonly run_id: string;
  readonly job_id: string;
  readonly tenant: string;
  readonly status: RunStatus;
  readonly reason: RunReason | null;
  readonly waiting: string | null;
  /** The steps of the run that wait for an approval. */
  readonly waiting_approval: readonly OpenApproval[];
  /** How long the run waited for answers to its approvals. The rest of its duration is work. */
  readonly approval_ms: number;
  readonly created_at: string;
  readonly started_at: string | null;
  readonly finished_at: string | null;
  readonly args: JsonObject;
  readonly result: { readonly value: JsonValue } | null;
  readonly exit_code: number | null;
  readonly error: RunError | null;
  readonly steps: readonly Step[];
  readonly attempt: number;
  readonly rerun_of: string | null;
  readonly parent: { readonly run_id: string; readonly step_id: string } | null;
  readonly progress: Progress | null;
  readonly priority: number;
  readonly limits: RunLimits;
  readonly grants: readonly Grant[];
  readonly termination: Termination | null;
  /** null if no files were left behind, or the run has not ended. */
  readonly left_behind: LeftBehind | null;
  readonly trigger: Trigger;
  readonly created_by: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly source: { readonly name: string; readonly type: 'fs' | 'git' | 'oci'; readonly revision: string };
  readonly security: { readonly profile: SecurityProfile; readonly isolation: Isolation };
  readonly worker: string | null;
  readonly cancel_requested_at: string | null;
  /**
   * The name of the principal who requested the cancel, or `run:` and the id of a run. null if nobody did, or an
   * earlier version of flwd stored the request.
   */
  readonly cancel_requested_by: string | null;
  readonly request_id: string | null;
  readonly trace: Trace;
};

/** A step that waits for somebody to approve or deny it. */
export type OpenApproval = {
  readonly step_id: string;
  readonly question: string | null;
  readonly since: string;
};

/** A run as lists show it, without the parts that can be large. */
export type RunSummary = {
  /** The arguments on one line, cut after 200 characters. */
  readonly args_text: string;
} & Pick<
  Run,
  | 'run_id'
  | 'job_id'
  | 'tenant'
  | 'status'
  | 'reason'
  | 'waiting'
  | 'waiting_approval'
  | 'approval_ms'
  | 'created_at'
  | 'started_at'
  | 'finished_at'
  | 'exit_code'
  | 'attempt'
  | 'priority'
  | 'trigger'
  | 'created_by'
  | 'labels'
  | 'progress'
  | 'error'
>;

/** A run that a step of another run started. */
export type ChildRun = RunSummary & { readonly parent: NonNullable<Run['parent']> };

/** The state of one of a job's last runs. */
export type LastRun = Pick<Run, 'run_id' | 'status' | 'created_at' | 'started_at' | 'finished_at'>;

/** The host user that a job runs as, with the ids that the user had when the run was planned. */
export type RunAs = {
  readonly user: string;
  readonly uid: number;
  readonly gid: number;
  /** The ids of all groups of the user. */
  readonly groups: readonly number[];
  /** The home folder; null if it does not exist. */
  readonly home: string | null;
};

/**
 * Everything that a server needs to execute a run, even if the server restarts in between. It is never sent to clients.
 */
export type RunPlan = {
  readonly job: JobDefinition;
  readonly revision: string;
  readonly profile: SecurityProfile;
  readonly network: Network;
  /** Plans of version 0.1 lack this member, which then counts as true. */
  readonly isSandboxed?: boolean;
  /** Missing or null if the job names no user. */
  readonly runAs?: RunAs | null;
  /** Plans of version 0.1 lack this member and have no limits. */
  readonly resources?: Resources;
  /** The paths of the host that the run may read, and those that it may write. All links in them were followed. */
  readonly read: readonly string[];
  readonly write: readonly string[];
  /**
   * The namespaces of the key-value store that the run may use besides its job's own. Plans of earlier versions lack
   * this member.
   */
  readonly kv?: KvPermissions;
  /** For a sub-run: the number of runs above it. If it is missing, the number is 0. */
  readonly depth?: number;
  /** The arguments that name a granted path. The script gets the path after all links were followed. */
  readonly resolvedArgs: Readonly<Record<string, string>>;
  /** For each secret argument that names a stored secret, the name of that secret. */
  readonly storedArgs?: Readonly<Record<string, string>>;
  /**
   * The principal who gave the secret arguments that name no stored secret. It stays the same when somebody else reruns
   * the run. Plans of version 0.1 lack this member; for them, it is the creator of the run.
   */
  readonly secretsBy?: string;
  /** Who has started the run or, for a sub-run, the run above it. Plans of earlier versions lack this member. */
  readonly starter?: Starter;
  /** The job's source at the time when the run was created, if the source was untrusted. Missing if it was trusted. */
  readonly untrustedSource?: UsingSource;
};

/** An approval that a step asks for or has asked for. */
export type Approval = OpenApproval &
  Pick<Run, 'run_id' | 'job_id' | 'tenant' | 'created_by' | 'trigger' | 'args'> & {
    readonly run_created_at: string;
    /**
     * The nominal time, if a schedule or a backfill started the run. A rerun has the nominal time of the run that it
     * repeats.
     */
    readonly nominal_at: string | null;
    readonly step_name: string;
    /** When the step fails if nobody has answered; null means never. */
    readonly deadline: string | null;
    /** Who may answer; null means everyone with the scope `runs:approve`. */
    readonly by: readonly string[] | null;
    /** True if the caller who started the run may not answer. */
    readonly not_by_starter: boolean;
    readonly starter: Starter | undefined;
    /** null means that nobody has answered. */
    readonly answer: (Decision & { readonly at: string }) | null;
    /** When the approval was answered, or ended without an answer. null means that it still waits. */
    readonly finished_at: string | null;
  };
