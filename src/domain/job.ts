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
  /** A sub-run. An argument is a literal, or `{from: <CEL>}`. */
  | { readonly kind: 'job'; readonly jobId: string; readonly args: JsonObject }
  | {
      readonly kind: 'approval';
      readonly text: string;
      /** Names of principals; null means everyone with runs:approve. */
      readonly by: readonly string[] | null;
      /** The caller who started the run may not answer. */
      readonly notByStarter?: boolean;
      /** flwd has added the step. If it is denied, nothing of the run starts. */
      readonly isGate?: boolean;
    };

export type StepDefinition = {
  readonly id: string;
  readonly name: string | null;
  readonly action: StepAction;
  /** Ids of steps that must have ended first. */
  readonly needs: readonly string[];
  /** The `if`: CEL over args, steps and run; null means always. */
  readonly condition: string | null;
  readonly matrix: Readonly<Record<string, readonly (string | number | boolean)[]>> | null;
  /** CEL that gives a list, or text with one item per line. */
  readonly foreach: string | null;
  readonly retry: RetryPolicy;
  /** For each attempt; null means no limit. */
  readonly timeoutMs: number | null;
  readonly continueOnError: boolean;
  readonly always: boolean;
};

export type Concurrency = {
  readonly limit: number;
  /** CEL over args; null means that all runs of the job share one group. */
  readonly key: string | null;
  readonly onConflict: 'queue' | 'reject' | 'cancel_running';
};

export const catchUps = ['none', 'last', 'all'] as const;
/** What happens to missed times: nothing, one run for the newest, or one run for each. */
export type CatchUp = (typeof catchUps)[number];

/** When runs of a job start by themselves, from config.yaml or the API, with every default filled in. */
export type ScheduleTerms = {
  /** Five fields, or a word such as `@daily` or `@boot`; null for a schedule that fires once, at `atMs`. */
  readonly cron: string | null;
  readonly atMs: number | null;
  /** Fires only on these days, each a date such as `2026-12-24` or the name of a calendar; null means on every day. */
  readonly calendar: readonly string[] | null;
  /** Does not fire on these days. */
  readonly except: readonly string[];
  /** An IANA name. */
  readonly timezone: string;
  readonly args: JsonObject;
  readonly catchUp: CatchUp;
  /** Each start is delayed by a random time shorter than this. */
  readonly jitterMs: number;
  readonly enabled: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** An address to call after each success. It may contain a token, so only its origin is ever shown. */
  readonly heartbeat?: StoredText;
};

/** A schedule of config.yaml. Its id is made from its content, not from its position (ADR 0011). */
export type JobSchedule = Omit<ScheduleTerms, 'timezone'> & {
  readonly id: string;
  /** null: the time zone of the instance. */
  readonly timezone: string | null;
  /** Whether the schedule is held until it is released. */
  readonly held: boolean;
};

/** What agents should know about the job, and whether their runs wait for a person. */
type AgentTerms = {
  /** true: agents are offered the job before others; false: they are not offered the job and cannot find it. */
  readonly expose: boolean | null;
  readonly readOnly: boolean;
  readonly idempotent: boolean;
  /** A lost connection does not cancel a run. */
  readonly detach: boolean;
  /** A run that an agent starts waits until a person allows it. */
  readonly approval: boolean;
};

export type JobDefinition = {
  /** mountPath and directory path, separated by `/`. */
  readonly id: string;
  /** The last segment of the id. */
  readonly name: string;
  /** The id without its last segment; empty at the root. */
  readonly namespace: string;
  /** The config's `name`. */
  readonly title: string | null;
  readonly description: string | null;
  readonly version: string;
  readonly tags: readonly string[];
  readonly enabled: boolean;
  /** The source's name. */
  readonly source: string;
  /** The job's directory relative to its source, separated by `/`; `.` is the root. Never a host path. */
  readonly path: string;
  readonly executor: 'proc' | 'container';
  readonly image: string | null;
  /** JSON Schema 2020-12 as served: the author's own, or the translated list form. */
  readonly argspec: JsonObject;
  /** Names of the top-level arguments with `format: secret`. */
  readonly secretArgs: readonly string[];
  readonly env: Readonly<Record<string, EnvValue>>;
  readonly composition: 'single' | 'steps';
  /** Never empty: a job without steps has a single step, `step_01`, whose action is the job's command. */
  readonly steps: readonly StepDefinition[];
  readonly concurrency: Concurrency | null;
  /** What to do when the machine dies during a run. */
  readonly onLost: 'fail' | 'retry';
  readonly timeouts: { readonly runMs: number | null; readonly stepMs: number | null; readonly queueMs: number | null };
  readonly cancel: { readonly signal: CancelSignal; readonly graceMs: number };
  /** null means the instance's default. */
  readonly securityProfile: SecurityProfile | null;
  /** A user of the host; null means the user that jobs of the profile run as. */
  readonly runAs: string | null;
  readonly permissions: {
    readonly network: Network | null;
    readonly read: readonly PathGrant[];
    readonly write: readonly PathGrant[];
    /** Namespaces of the key-value store besides the job’s own. */
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
  /** Missing in plans that an earlier version stored. */
  readonly expect?: Expectation | null;
  /** Keys of config.yaml that are valid but have no effect in this version, such as `image`. */
  readonly unsupported: readonly string[];
};

export const cancelSignals = ['TERM', 'INT', 'HUP', 'QUIT', 'USR1', 'USR2', 'KILL'] as const;
export type CancelSignal = (typeof cancelSignals)[number];

/** The place of an error. `file` is relative to the source; line and column count from 1. */
export type JobError = {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
};

/** A job that cannot be used. It is listed beside the others. */
export type InvalidJob = {
  readonly id: string;
  readonly source: string;
  readonly path: string;
  readonly errors: readonly JobError[];
};

export const stepIdOfSingle = 'step_01';
