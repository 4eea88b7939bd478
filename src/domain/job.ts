// A job as its author wrote it, parsed and normalised. Nothing here knows YAML, files or HTTP.

import type { CommandAction } from './command-action.ts';
import type { KvPermissions } from './kv.ts';
import type { NotifyRule, StoredText } from './notification.ts';
import type { Expectation } from './outcome/late.ts';
import type { Resources } from './resources.ts';
import type { JobTrigger } from './trigger/job-trigger.ts';
import type { JobWebhook } from './trigger/webhook.ts';

export type JsonValue = null | boolean | number | string | JsonValue[] | { [key: string]: JsonValue };
export type JsonObject = { [key: string]: JsonValue };

export type SecurityProfile = 'secure' | 'permissive' | 'disabled';
export type Network = 'none' | 'all';

/** A host path, or the argument that holds one. */
export type PathGrant = string | { readonly arg: string };

/** The value of an environment variable: text, or the name of a secret argument. */
type EnvValue = string | { readonly secret: string };

export type ArtifactPattern = {
  readonly path: string;
  readonly name: string | null;
  readonly mediaType: string | null;
};

export type RetryPolicy = {
  /** The number of retries. */
  readonly limit: number;
  readonly backoff: 'fixed' | 'exponential';
  readonly delayMs: number;
  readonly maxDelayMs: number;
  /** Exit codes to retry after; null means every failure. Exit code 75 is always retried. */
  readonly on: readonly number[] | null;
};

export type StepAction =
  | CommandAction
  /** Starts a sub-run. Each argument is a literal, or `{from: <CEL>}`. */
  | { readonly kind: 'job'; readonly jobId: string; readonly args: JsonObject }
  | {
      readonly kind: 'approval';
      readonly text: string;
      /** The names of the principals who may answer; null means everyone with the scope `runs:approve`. */
      readonly by: readonly string[] | null;
      /** True if the caller who started the run may not answer. */
      readonly notByStarter?: boolean;
      /** True if flwd has added this step to the job. If the approval is denied, no step of the run starts. */
      readonly isGate?: boolean;
    };

export type StepDefinition = {
  readonly id: string;
  readonly name: string | null;
  readonly action: StepAction;
  /** The ids of the steps that must end before this step starts. */
  readonly needs: readonly string[];
  /** The `if` of the step: CEL that can use args, steps and run. null means that the step always runs. */
  readonly condition: string | null;
  readonly matrix: Readonly<Record<string, readonly (string | number | boolean)[]>> | null;
  /** CEL. Its value is a list, or a text with one item in each line. */
  readonly foreach: string | null;
  readonly retry: RetryPolicy;
  /** The time limit of each attempt; null means no limit. */
  readonly timeoutMs: number | null;
  readonly continueOnError: boolean;
  readonly always: boolean;
};

export type Concurrency = {
  readonly limit: number;
  /** CEL that can use args. null means that all runs of the job share one concurrency group. */
  readonly key: string | null;
  readonly onConflict: 'queue' | 'reject' | 'cancel_running';
};

export const catchUps = ['none', 'last', 'all'] as const;
/** What to do about times that were missed: nothing, start one run for the newest, or start one run for each. */
export type CatchUp = (typeof catchUps)[number];

/** When a schedule starts runs of a job. The terms come from config.yaml or the API, and every default is filled in. */
export type ScheduleTerms = {
  /** Five fields, or a word such as `@daily` or `@boot`; null for a schedule that fires once, at `atMs`. */
  readonly cron: string | null;
  readonly atMs: number | null;
  /**
   * The schedule fires only on these days; null means on every day. Each is a date such as `2026-12-24`, or the name of
   * a calendar.
   */
  readonly calendar: readonly string[] | null;
  /** The schedule does not fire on these days. */
  readonly except: readonly string[];
  /** An IANA name, such as `Europe/Berlin`. */
  readonly timezone: string;
  readonly args: JsonObject;
  readonly catchUp: CatchUp;
  /** Each start is delayed by a random time that is shorter than this. */
  readonly jitterMs: number;
  readonly enabled: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** An address that flwd calls after each success. It may contain a token, so flwd only ever shows its origin. */
  readonly heartbeat?: StoredText;
};

/** A schedule of config.yaml. Its id is made from its content, not from its position (ADR 0011). */
export type JobSchedule = Omit<ScheduleTerms, 'timezone'> & {
  readonly id: string;
  /** null means the time zone of the instance. */
  readonly timezone: string | null;
  /** True if the schedule starts no runs until somebody releases it. */
  readonly held: boolean;
};

/** What agents should know about the job, and whether the runs that they start wait for a person. */
type AgentTerms = {
  /** true: agents are offered this job before others. false: agents are not offered this job and cannot find it. */
  readonly expose: boolean | null;
  readonly readOnly: boolean;
  readonly idempotent: boolean;
  /** True if a run goes on when the agent loses its connection. */
  readonly detach: boolean;
  /** True if a person must approve each run that an agent starts. */
  readonly approval: boolean;
};

export type JobDefinition = {
  /** The mount path of the source and the path of the directory, separated by `/`. */
  readonly id: string;
  /** The last segment of the id. */
  readonly name: string;
  /** The id without its last segment; empty at the root. */
  readonly namespace: string;
  /** The `name` in config.yaml. */
  readonly title: string | null;
  readonly description: string | null;
  readonly version: string;
  readonly tags: readonly string[];
  readonly enabled: boolean;
  /** The name of the job's source. */
  readonly source: string;
  /**
   * The job's directory, relative to the root of its source and separated by `/`. `.` is the root itself. This is never
   * a path of the host.
   */
  readonly path: string;
  readonly executor: 'proc' | 'container';
  readonly image: string | null;
  /**
   * JSON Schema 2020-12, as the API returns it: the author's own schema, or the author's list of arguments translated
   * to a schema.
   */
  readonly argspec: JsonObject;
  /** Names of the top-level arguments with `format: secret`. */
  readonly secretArgs: readonly string[];
  readonly env: Readonly<Record<string, EnvValue>>;
  readonly composition: 'single' | 'steps';
  /** Never empty. A job without steps has a single step, `step_01`, which runs the job's command. */
  readonly steps: readonly StepDefinition[];
  readonly concurrency: Concurrency | null;
  /** What to do when the machine dies during a run. */
  readonly onLost: 'fail' | 'retry';
  readonly timeouts: { readonly runMs: number | null; readonly stepMs: number | null; readonly queueMs: number | null };
  readonly cancel: { readonly signal: CancelSignal; readonly graceMs: number };
  /** null means the instance's default. */
  readonly securityProfile: SecurityProfile | null;
  /** The host user that the job runs as; null means the host user that other jobs of the profile run as. */
  readonly runAs: string | null;
  readonly permissions: {
    readonly network: Network | null;
    readonly read: readonly PathGrant[];
    readonly write: readonly PathGrant[];
    /** The namespaces of the key-value store that the job may use besides its own. */
    readonly kv?: KvPermissions;
    readonly resources: Resources;
  };
  readonly artifacts: { readonly paths: readonly ArtifactPattern[]; readonly ttlMs: number | null };
  readonly logs: { readonly maxSizeBytes: number };
  readonly schedules: readonly JobSchedule[];
  readonly webhooks: readonly JobWebhook[];
  readonly triggers: readonly JobTrigger[];
  readonly agents: AgentTerms;
  /** Empty means that nobody is notified. */
  readonly notify: readonly NotifyRule[];
  /** Plans that an earlier version of flwd stored lack this member. */
  readonly expect?: Expectation | null;
  /** Keys of config.yaml that are valid but have no effect in this version, such as `image`. */
  readonly unsupported: readonly string[];
};

export const cancelSignals = ['TERM', 'INT', 'HUP', 'QUIT', 'USR1', 'USR2', 'KILL'] as const;
export type CancelSignal = (typeof cancelSignals)[number];

/** An error in a job, and its place. `file` is relative to the root of the source. Lines and columns count from 1. */
export type JobError = {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
};

/** A job that cannot be used because of an error. It is listed together with the other jobs. */
export type InvalidJob = {
  readonly id: string;
  readonly source: string;
  readonly path: string;
  readonly errors: readonly JobError[];
};

export const stepIdOfSingle = 'step_01';
