// The tables of the database, as types for Kysely. Times are integers in milliseconds (`_us`: microseconds). Booleans
// are 0 or 1. Values that are only shown are JSON in text columns.

import type { AuditAction, AuditObjectKind, AuditResult } from '../domain/audit.ts';
import type { JournalEntry } from '../domain/event.ts';
import type { CatchUp } from '../domain/job.ts';
import type { NotificationStatus, NotifyEvent } from '../domain/notification.ts';
import type { FailureState } from '../domain/outcome/failure.ts';
import type { LateKind } from '../domain/outcome/late.ts';
import type { RunReason, RunStatus, StepKind, StepReason, StepStatus, Trigger } from '../domain/run.ts';
import type { Backfill } from '../domain/schedule.ts';
import type { TriggerResult } from '../domain/trigger/job-trigger.ts';
import type { DeliveryResult, WebhookScheme } from '../domain/trigger/webhook.ts';

export type Schema = {
  runs: RunRow;
  owners: OwnerRow;
  run_plans: RunPlanRow;
  run_labels: RunLabelRow;
  run_counts: RunCountRow;
  run_hours: RunHourRow;
  run_days: RunDayRow;
  run_label_counts: RunLabelCountRow;
  run_stats: RunStatsRow;
  run_times: RunTimesRow;
  steps: StepRow;
  events: EventRow;
  sequences: SequenceRow;
  idempotency: IdempotencyRow;
  artifacts: ArtifactRow;
  artifact_counts: ArtifactCountRow;
  log_segments: LogSegmentRow;
  schedules: ScheduleRow;
  instance: InstanceRow;
  schedule_states: ScheduleStateRow;
  heartbeats: HeartbeatRow;
  backfills: BackfillRow;
  schedule_pauses: SchedulePauseRow;
  webhooks: WebhookRow;
  delivery_keys: DeliveryKeyRow;
  trigger_results: TriggerResultRow;
  trigger_chains: TriggerChainRow;
  watched_folders: WatchedFolderRow;
  watched_files: WatchedFileRow;
  deliveries: DeliveryRow;
  failures: FailureRow;
  notices: NotificationRow;
  failing_jobs: FailingJobRow;
  late: LateRow;
  expecting_jobs: ExpectingJobRow;
  expired_logs: ExpiredLogRow;
  secrets: SecretRow;
  tokens: TokenRow;
  kv: KvRow;
  kv_totals: KvTotalRow;
  audit: AuditRow;
  audit_counts: AuditCountRow;
};

/**
 * The columns that lists and changes need come first, because SQLite reads a row from its start up to the last column
 * that it needs.
 */
export type RunRow = {
  id: string;
  job_id: string;
  tenant: string;
  source: string;
  status: RunStatus;
  reason: RunReason | null;
  waiting: string | null;
  created_at: number;
  started_at: number | null;
  finished_at: number | null;
  exit_code: number | null;
  attempt: number;
  priority: number;
  /** Grows with every change of the row or of the run's steps. */
  version: number;
  queue_ms: number | null;
  trigger: Trigger['type'];
  created_by: string;
  worker: string | null;
  cancel_requested_at: number | null;
  labels: string;
  progress: string | null;
  error: string | null;
  termination: string | null;
  left_behind: string | null;
  /** JSON of RunDetails, the parts of a run that never change and are only shown. */
  details: string;
  args: string;
  result: string | null;
  /**
   * Before the start, the end of `timeouts.queue`. After the start, the end of `timeouts.run`. null if there is no such
   * timeout.
   */
  deadline_at: number | null;
  /** The value of `concurrency.key`. */
  concurrency_key: string | null;
  concurrency_limit: number | null;
  /** The server that drives the run, or that drove it last; null before the start (ADR 0039). */
  owner: string | null;
  /** Grows by 1 whenever the run is claimed or taken over; 0 before the start. */
  epoch: number;
  /** Who requested the cancel; null if nobody did, or an earlier version of flwd stored the request (ADR 0080). */
  cancel_requested_by: string | null;
};

/** A server that may drive runs. `lease` changes with each renewal. `host` and `renewed_at` are only shown. */
export type OwnerRow = { id: string; host: string; lease: string; renewed_at: number };

/**
 * A table of its own, because the rows of `runs` are rewritten with every change. `notify` is the part of the plan that
 * is read when the run ends.
 */
export type RunPlanRow = { run_id: string; plan: string; sealed: string | null; notify: string | null };

/**
 * A label of a run. The row has copies of the run's columns that lists filter by, so that a list by label need not read
 * the runs. `status` is null until the run ends.
 */
type RunLabelRow = {
  run_id: string;
  key: string;
  value: string;
  created_at: number;
  tenant: string;
  job_id: string;
  source: string;
  status: RunStatus | null;
};

/** Counters of runs. Every change of a run updates them, so that a list need not count its total. */
export type RunCountRow = { status: RunStatus; tenant: string; job_id: string; source: string; count: number };

/**
 * Counters of ended runs by the hour in which they were created. The hour begins at `hour`. `label` is `key=value`, or
 * the key alone for all its values, or empty for all runs.
 */
export type RunHourRow = {
  label: string;
  hour: number;
  tenant: string;
  source: string;
  status: RunStatus;
  count: number;
};

/** The same counters by day (UTC). The day begins at `day`. */
export type RunDayRow = Omit<RunHourRow, 'hour'> & { day: number };

/** Counters of all ended runs by job and label. */
export type RunLabelCountRow = {
  label: string;
  tenant: string;
  job_id: string;
  source: string;
  status: RunStatus;
  count: number;
};

/**
 * Counters of runs by the hour or day (UTC) in which they ended. The span begins at `at`. When retention removes the
 * runs, the counters stay. A row without a job counts the runs of all jobs, except sub-runs.
 */
export type RunStatsRow = {
  span: 'hour' | 'day';
  job_id: string;
  at: number;
  tenant: string;
  success: number;
  failed: number;
  cancelled: number;
};

/**
 * Counters of the runs that RunStatsRow counts, by duration. `waited` counts how long runs waited for their start.
 * `took` counts how long runs that succeeded took, without the time in which an approval waited for its answer.
 * domain/duration-buckets.ts defines the buckets.
 */
export type RunTimesRow = Pick<RunStatsRow, 'span' | 'job_id' | 'at' | 'tenant'> & {
  measure: 'took' | 'waited';
  bucket: number;
  count: number;
};

/** An attempt of a step. The row never changes once the attempt has ended (ADR 0014). */
export type StepRow = {
  run_id: string;
  step_id: string;
  attempt: number;
  name: string;
  status: StepStatus;
  reason: StepReason | null;
  started_at: number | null;
  finished_at: number | null;
  exit_code: number | null;
  needs: string;
  outputs: string;
  /**
   * The position of the step in the run, which is the same for all attempts. Instances come after the steps of the job.
   */
  n: number;
  kind: StepKind;
  instance_of: string | null;
  /** The values of this instance: `{"matrix": {…}}` or `{"item": …}`. */
  item: string | null;
  /** Grows by 1 whenever a process resumes the attempt; 0 before its start. */
  epoch: number;
  worker: string | null;
  not_before: number | null;
  deadline_at: number | null;
  child_run_id: string | null;
  message: string | null;
  approval: string | null;
  termination: string | null;
  /** Encrypted outputs for later steps, if the outputs contain a secret. */
  sealed: string | null;
  hint: string | null;
};

/**
 * The journal. The ids `id` to `id + count - 1` belong to an output entry, and `first_seq` is the number of its first
 * line (ADR 0004).
 */
export type EventRow = {
  id: number;
  type: JournalEntry['type'];
  run_id: string;
  job_id: string;
  tenant: string;
  at: number;
  data: string | null;
  first_seq: number | null;
  count: number;
};

/**
 * `events`: the next event id. It is stored here, so that deleting the newest event never makes its id free again.
 * `events.kept`: the first id from which the journal has no gaps. There is no row before an event was removed.
 * `notices`: the next event to check for notifications.
 * `triggers`: the next event to check for triggers. There is no row while there are no triggers.
 * `audit.kept`: the first audit entry that retention must keep. There is no row before retention has removed an entry.
 */
export type SequenceRow = {
  name: 'events' | 'events.kept' | 'notices' | 'audit.kept' | 'kv' | 'triggers';
  next_id: number;
};

type IdempotencyRow = {
  tenant: string;
  key: string;
  body_hash: string;
  run_id: string;
  created_at: number;
  answer_status: number | null;
  answer_body: string | null;
};

export type ArtifactRow = {
  id: string;
  run_id: string;
  job_id: string;
  step_id: string | null;
  tenant: string;
  name: string;
  path: string;
  media_type: string;
  size_bytes: number;
  sha256: string;
  created_at: number;
  expires_at: number | null;
};

type ArtifactCountRow = { tenant: string; job_id: string; count: number; size_bytes: number };

export type LogSegmentRow = {
  run_id: string;
  n: number;
  first_seq: number;
  last_seq: number;
  first_at_us: number;
  last_at_us: number;
  raw_bytes: number;
  stored_bytes: number;
  encoding: string;
};

/** `timezone`: an IANA name. `boot`: JSON of SeenBoot. `traces`, `logs`: JSON of ExportState. */
type InstanceRow = { name: 'timezone' | 'boot' | 'clock_doubts' | 'traces' | 'logs'; value: string };

export type ScheduleRow = {
  id: string;
  name: string | null;
  job_id: string;
  tenant: string;
  /** Empty for a schedule that fires once. */
  cron: string;
  timezone: string;
  args: string;
  catch_up: CatchUp;
  jitter_ms: number;
  enabled: 0 | 1;
  labels: string;
  created_at: number;
  updated_at: number;
  created_by: string;
  /** The time at which a schedule without `cron` fires. */
  at: number | null;
  /** JSON of the schedule's calendar and exceptions; null if it has neither. */
  days: string | null;
  /** JSON of Binding; null if nothing limits the runs. */
  bound_to: string | null;
  /** JSON of StoredText. */
  heartbeat: string | null;
};

/** `address` is JSON of StoredText. `called_at` is the time of the last call that succeeded. */
export type HeartbeatRow = {
  schedule_id: string;
  tenant: string;
  address: string;
  run_id: string;
  success_at: number;
  attempts: number;
  next_at: number | null;
  called_at: number | null;
  failed_at: number | null;
  last_error: string | null;
};

/**
 * `times` is JSON of the nominal times for which the backfill starts runs. It is empty once the backfill has ended.
 * `cursor` says how many of the times were handled. `bound_to` is JSON of Binding.
 */
export type BackfillRow = {
  id: string;
  schedule_id: string;
  job_id: string;
  tenant: string;
  from_at: number;
  until_at: number;
  at_once: number;
  status: Backfill['status'];
  times: string;
  cursor: number;
  in_span: number;
  left_out: number;
  started: number;
  failed_runs: number | null;
  created_at: number;
  created_by: string;
  bound_to: string | null;
  account: string;
  finished_at: number | null;
  problem: string | null;
  detail: string | null;
};

/** A tenant whose schedules are all paused. `*` stands for every tenant. */
type SchedulePauseRow = { tenant: string; paused_at: number; paused_by: string };

/** `last_fire` and `last_error` are JSON of Fire and FireError. */
export type ScheduleStateRow = {
  schedule_id: string;
  since_at: number;
  settled_at: number | null;
  /**
   * A time after `settled_at` and up to this one may already have a run, because the clock was set back or a backfill
   * started the run.
   */
  fired_until: number | null;
  idle_since_at: number | null;
  /** null if nobody has held or released the schedule. Then the job's config.yaml decides. */
  held: 0 | 1 | null;
  not_before: number | null;
  last_fire: string | null;
  last_error: string | null;
  /** The job that the schedule starts; null if the schedule has not been active since flwd began to store this. */
  job_id: string | null;
};

/**
 * The result of an occurrence that a trigger waits for. `key` is the id of the run that has ended, `file STAMP PATH` or
 * `check TIME`. A row with the key `trigger-failing` exists as long as the trigger cannot start anything.
 */
export type TriggerResultRow = {
  trigger_id: string;
  key: string;
  tenant: string;
  at: number;
  result: TriggerResult;
  run_id: string | null;
  problem: string | null;
  detail: string | null;
};

/**
 * The chain of triggers that the run `run_id` began: how many runs follow from it, and how many starts were refused
 * because the chain was too long.
 */
export type TriggerChainRow = { run_id: string; runs: number; refusals: number };

/**
 * A folder that a trigger follows. `looked_at` says when the folder was read last, and may be up to an hour too early.
 */
type WatchedFolderRow = { id: string; looked_at: number };

/** A version of a file that a trigger has handled. `gone_at` is null as long as the file exists. */
type WatchedFileRow = { folder_id: string; name: string; stamp: string; gone_at: number | null };

/** A webhook that was made at run time. `token_hash` is the SHA-256 of the token in its address. `terms` is JSON. */
export type WebhookRow = {
  id: string;
  name: string;
  job_id: string;
  tenant: string;
  token_hash: string;
  scheme: WebhookScheme;
  terms: string;
  per_minute: number | null;
  created_at: number;
  created_by: string;
  /** JSON of Binding; null if nothing limits the runs. */
  bound_to: string | null;
};

/**
 * A key that identifies a delivery which started a run. Another delivery with the same key is a duplicate (ADR 0066).
 */
type DeliveryKeyRow = {
  webhook_id: string;
  key: string;
  run_id: string;
  expires_at: number;
};

/**
 * `args` is JSON with secrets redacted; null if the arguments were not computed. `repeats` counts the duplicates of the
 * delivery. No two rows without a run have the same webhook, body and result.
 */
export type DeliveryRow = {
  id: string;
  webhook_id: string;
  tenant: string;
  at: number;
  result: DeliveryResult;
  scheme: WebhookScheme;
  body_hash: string;
  event: string | null;
  sender_id: string | null;
  run_id: string | null;
  args: string | null;
  has_secrets: 0 | 1;
  problem: string | null;
  detail: string | null;
  repeats: number;
};

/** `last_at`, `last_run` and `sample` belong to the last failure. */
export type FailureRow = {
  tenant: string;
  job_id: string;
  fingerprint: string;
  reason: RunReason;
  sample: string;
  state: FailureState;
  count: number;
  first_run: string;
  first_at: number;
  /** null if the row is from an earlier version of flwd that did not record the revision. */
  first_revision: string | null;
  last_run: string;
  last_at: number;
};

/**
 * A notification for the `n`th rule of a run. `next_at` is null if no attempt follows. For a channel, `origin` is
 * `channel:` and its name, and `webhook` is empty. `failures` says how often the job failed in a row: before this run
 * for `fixed`, and with this run for other events. `digest` is 1 if the notification is part of a digest. `taken_by` is
 * JSON of the addresses that have already received a mail, if the mail was refused for other addresses. `late` is JSON
 * of LateNotice. If there is no run, the notification is about a job.
 */
export type NotificationRow = {
  id: string;
  run_id: string | null;
  n: number;
  status: NotificationStatus;
  origin: string;
  attempts: number;
  next_at: number | null;
  created_at: number;
  finished_at: number | null;
  last_error: string | null;
  webhook: string;
  event: NotifyEvent;
  channel: string | null;
  step_id: string | null;
  event_id: number;
  failures: number;
  digest: number | null;
  taken_by: string | null;
  late: string | null;
};

/** `told` is JSON of the time at which each receiver was notified; null if there are no notifications yet. */
export type LateRow = {
  tenant: string;
  job_id: string;
  kind: LateKind;
  key: string;
  at: number;
  run_id: string | null;
  schedule_id: string | null;
  detail: string;
  over_at: number | null;
  told: string | null;
};

/** A job whose successes are expected. `terms` is JSON of what has been expected since `since_at`. */
type ExpectingJobRow = { job_id: string; terms: string; since_at: number };

/**
 * A job whose last run with rules failed. `run_id` is the newest run that failed. `told` is JSON of the time at which
 * each channel was last notified.
 */
type FailingJobRow = { tenant: string; job_id: string; run_id: string; failures: number; told: string };

/** A run whose log was removed by retention. */
type ExpiredLogRow = { run_id: string; at: number };

export type SecretRow = {
  tenant: string;
  name: string;
  sealed: string;
  created_at: number;
  created_by: string;
  updated_at: number;
  updated_by: string;
};

/** `hash` is the SHA-256 of the secret, in hexadecimal. `scopes` is JSON. */
export type TokenRow = {
  id: string;
  name: string;
  hash: string;
  scopes: string;
  tenant: string;
  created_at: number;
  created_by: string;
  expires_at: number | null;
  last_used_at: number | null;
  revoked_at: number | null;
  /** JSON of TokenLimits; null if nothing limits the token. */
  limits: string | null;
};

/**
 * A version is never used again, even after the key was deleted. `size_bytes` counts the key and the value. If a run
 * wrote the value, `request` identifies the request with which it did so.
 */
export type KvRow = {
  tenant: string;
  namespace: string;
  key: string;
  version: number;
  size_bytes: number;
  updated_at: number;
  updated_by: string;
  expires_at: number | null;
  request: string | null;
  value: Uint8Array;
};

/** Expired keys count until retention has removed them. The row without a tenant has the total. */
type KvTotalRow = { tenant: string; namespace: string; keys: number; size_bytes: number };

/** The ids have no gaps, and `at` never decreases. `hash` covers the previous hash and this row (audit-chain.ts). */
export type AuditRow = {
  id: number;
  at: number;
  actor: string;
  tenant: string;
  action: AuditAction;
  result: AuditResult;
  object_kind: AuditObjectKind | null;
  object_id: string | null;
  origin: string | null;
  request_id: string | null;
  reason: string | null;
  detail: string | null;
  hash: string;
};

/** Counters of audit entries. */
export type AuditCountRow = { tenant: string; actor: string; action: AuditAction; result: AuditResult; count: number };
