// The schema of SQLite as all migrations leave it. `npm run docs` makes this file (build-schema.ts).

/** How many migrations it contains. */
export const freshVersion = 22;
export const freshSchema = `
CREATE TABLE "runs" ("id" text not null primary key, "job_id" text not null, "tenant" text not null, "source" text not null, "status" text not null, "reason" text, "waiting" text, "created_at" bigint not null, "started_at" bigint, "finished_at" bigint, "exit_code" integer, "attempt" integer not null, "priority" integer not null, "version" integer not null, "queue_ms" bigint, "trigger" text not null, "created_by" text not null, "worker" text, "cancel_requested_at" bigint, "labels" text not null, "progress" text, "error" text, "termination" text, "details" text not null, "args" text not null, "result" text, "deadline_at" bigint, "concurrency_key" text, "concurrency_limit" integer, "left_behind" text, "owner" text, "epoch" integer default 0 not null);
CREATE INDEX "runs_by_age" on "runs" ("created_at", "id");
CREATE INDEX "runs_by_source" on "runs" ("source", "created_at", "id");
CREATE TABLE "run_plans" ("run_id" text not null primary key references "runs" ("id") on delete cascade, "plan" text not null, "sealed" text, "notify" text);
CREATE TABLE "run_labels" ("run_id" text not null references "runs" ("id") on delete cascade, "key" text not null, "value" text not null, "created_at" bigint not null, "tenant" text default '' not null, "job_id" text default '' not null, "source" text default '' not null, "status" text, constraint "run_labels_key" primary key ("run_id", "key"));
CREATE TABLE "run_counts" ("status" text not null, "tenant" text not null, "job_id" text not null, "source" text not null, "count" bigint not null, constraint "run_counts_key" primary key ("status", "tenant", "job_id", "source"));
CREATE TABLE "steps" ("run_id" text not null references "runs" ("id") on delete cascade, "step_id" text not null, "attempt" integer not null, "name" text not null, "status" text not null, "reason" text, "started_at" bigint, "finished_at" bigint, "exit_code" integer, "needs" text not null, "outputs" text not null, "n" integer default 1 not null, "kind" text default 'command' not null, "instance_of" text, "item" text, "epoch" integer default 0 not null, "worker" text, "not_before" bigint, "deadline_at" bigint, "child_run_id" text, "message" text, "approval" text, "termination" text, "sealed" text, "hint" text, constraint "steps_key" primary key ("run_id", "step_id", "attempt"));
CREATE TABLE "events" ("id" integer not null primary key, "type" text not null, "run_id" text not null, "job_id" text not null, "tenant" text not null, "at" bigint not null, "data" text, "first_seq" bigint, "count" bigint not null);
CREATE INDEX "events_by_run" on "events" ("run_id", "id");
CREATE TABLE "sequences" ("name" text not null primary key, "next_id" bigint not null);
CREATE TABLE "idempotency" ("tenant" text not null, "key" text not null, "body_hash" text not null, "run_id" text not null, "created_at" bigint not null, "answer_status" integer, "answer_body" text, constraint "idempotency_key" primary key ("tenant", "key"));
CREATE TABLE "artifacts" ("id" text not null primary key, "run_id" text not null, "job_id" text not null, "tenant" text not null, "name" text not null, "path" text not null, "media_type" text not null, "size_bytes" bigint not null, "sha256" text not null, "created_at" bigint not null, "expires_at" bigint, "step_id" text);
CREATE INDEX "artifacts_by_age" on "artifacts" ("created_at", "id");
CREATE INDEX "artifacts_by_run" on "artifacts" ("run_id", "created_at", "id");
CREATE INDEX "artifacts_by_job" on "artifacts" ("job_id", "created_at", "id");
CREATE INDEX "artifacts_by_name" on "artifacts" ("name", "created_at", "id");
CREATE INDEX "artifacts_by_expiry" on "artifacts" ("expires_at", "job_id") where "expires_at" is not null;
CREATE TABLE "log_segments" ("run_id" text not null, "n" integer not null, "first_seq" bigint not null, "last_seq" bigint not null, "first_at_us" bigint not null, "last_at_us" bigint not null, "raw_bytes" bigint not null, "stored_bytes" bigint not null, "encoding" text not null, constraint "log_segments_key" primary key ("run_id", "n"));
CREATE INDEX "steps_by_deadline" on "steps" ("deadline_at", "finished_at") where "deadline_at" is not null and "finished_at" is null;
CREATE INDEX "runs_by_deadline" on "runs" ("deadline_at", "finished_at") where "deadline_at" is not null and "finished_at" is null;
CREATE TABLE "schedules" ("id" text not null primary key, "name" text, "job_id" text not null, "tenant" text not null, "cron" text not null, "timezone" text not null, "args" text not null, "catch_up" text not null, "jitter_ms" bigint not null, "enabled" integer not null, "labels" text not null, "created_at" bigint not null, "updated_at" bigint not null, "created_by" text not null, "at" bigint, "days" text);
CREATE TABLE "schedule_states" ("schedule_id" text not null primary key, "since_at" bigint not null, "settled_at" bigint, "idle_since_at" bigint, "last_fire" text, "last_error" text, "fired_until" bigint, "held" integer, "not_before" bigint);
CREATE TABLE "notices" ("id" text not null primary key, "run_id" text not null references "runs" ("id") on delete cascade, "n" integer not null, "status" text not null, "origin" text not null, "attempts" integer not null, "next_at" bigint, "created_at" bigint not null, "finished_at" bigint, "last_error" text, "webhook" text not null);
CREATE UNIQUE INDEX "notices_by_run" on "notices" ("run_id", "n");
CREATE INDEX "notices_by_due" on "notices" ("next_at") where "next_at" is not null;
CREATE INDEX "runs_by_end" on "runs" ("finished_at", "id") where "finished_at" is not null;
CREATE INDEX "log_segments_by_age" on "log_segments" ("last_at_us", "run_id");
CREATE INDEX "idempotency_by_age" on "idempotency" ("created_at");
CREATE TABLE "expired_logs" ("run_id" text not null primary key references "runs" ("id") on delete cascade, "at" bigint not null);
CREATE TABLE "tokens" ("id" text not null primary key, "name" text not null, "hash" text not null, "scopes" text not null, "tenant" text not null, "created_at" bigint not null, "created_by" text not null, "expires_at" bigint, "last_used_at" bigint, "revoked_at" bigint);
CREATE UNIQUE INDEX "tokens_by_name" on "tokens" ("name") where "revoked_at" is null;
CREATE TABLE "secrets" ("tenant" text not null, "name" text not null, "sealed" text not null, "created_at" bigint not null, "created_by" text not null, "updated_at" bigint not null, "updated_by" text not null, constraint "secrets_key" primary key ("tenant", "name"));
CREATE INDEX "secrets_by_key" on "secrets" (case when substr(sealed, 1, 3) = 'v2.' then substr(sealed, 1, 15) else 'v1' end, "tenant", "name");
CREATE INDEX "run_plans_by_key" on "run_plans" (case when substr(sealed, 1, 3) = 'v2.' then substr(sealed, 1, 15) else 'v1' end, "run_id") where "sealed" is not null;
CREATE INDEX "steps_by_key" on "steps" (case when substr(sealed, 1, 3) = 'v2.' then substr(sealed, 1, 15) else 'v1' end, "run_id", "step_id", "attempt") where "sealed" is not null;
CREATE TABLE "audit" ("id" integer not null primary key, "at" bigint not null, "actor" text not null, "tenant" text not null, "action" text not null, "result" text not null, "object_kind" text, "object_id" text, "origin" text, "request_id" text, "reason" text, "detail" text, "hash" text not null);
CREATE INDEX "audit_by_object" on "audit" ("object_id", "id");
CREATE INDEX audit_by_action on audit (action, id) where action <> 'run.create';
CREATE TABLE "audit_counts" ("tenant" text not null, "actor" text not null, "action" text not null, "result" text not null, "count" bigint not null, constraint "audit_counts_key" primary key ("tenant", "actor", "action", "result"));
CREATE TRIGGER audit_keeps before update on audit
        begin select raise(abort, 'the audit log is append-only'); end;
CREATE TRIGGER audit_grows before insert on audit when new.id <= (select max(id) from audit)
        begin select raise(abort, 'the audit log is append-only'); end;
CREATE TRIGGER audit_expires before delete on audit
        when old.id >= coalesce((select next_id from sequences where name = 'audit.kept'), 0)
        begin select raise(abort, 'the audit log is append-only'); end;
CREATE INDEX "artifacts_by_tenant" on "artifacts" ("tenant", "created_at", "id");
CREATE INDEX "artifacts_by_tenant_and_job" on "artifacts" ("tenant", "job_id", "created_at", "id");
CREATE INDEX "artifacts_by_tenant_and_name" on "artifacts" ("tenant", "name", "created_at", "id");
CREATE INDEX "artifacts_by_tenant_and_expiry" on "artifacts" ("tenant", "expires_at", "job_id") where "expires_at" is not null;
CREATE TABLE "artifact_counts" ("tenant" text not null, "job_id" text not null, "count" bigint not null, "size_bytes" bigint not null, constraint "artifact_counts_key" primary key ("tenant", "job_id"));
CREATE INDEX "runs_by_job" on "runs" ("job_id", "created_at", "id", "source");
CREATE INDEX "runs_by_job_and_status" on "runs" ("job_id", "status", "created_at", "id", "source");
CREATE INDEX "runs_by_status" on "runs" ("status", "created_at", "id", "source");
CREATE INDEX "runs_by_tenant" on "runs" ("tenant", "created_at", "id", "source");
CREATE INDEX "runs_by_tenant_and_job" on "runs" ("tenant", "job_id", "created_at", "id", "source");
CREATE INDEX "runs_by_tenant_and_status" on "runs" ("tenant", "status", "created_at", "id", "source");
CREATE INDEX "run_labels_by_key" on "run_labels" ("key", "created_at", "run_id", "job_id", "source", "status");
CREATE INDEX "run_labels_by_value" on "run_labels" ("key", "value", "created_at", "run_id", "job_id", "source", "status");
CREATE INDEX "run_labels_by_tenant_and_key" on "run_labels" ("tenant", "key", "created_at", "run_id", "job_id", "source", "status");
CREATE INDEX "run_labels_by_tenant_and_value" on "run_labels" ("tenant", "key", "value", "created_at", "run_id", "job_id", "source", "status");
CREATE INDEX "run_labels_by_job" on "run_labels" ("job_id", "key", "created_at", "run_id", "value", "tenant", "source", "status");
CREATE TABLE "run_hours" ("label" text not null, "hour" bigint not null, "tenant" text not null, "source" text not null, "status" text not null, "count" bigint not null, constraint "run_hours_key" primary key ("label", "hour", "tenant", "source", "status")) without rowid;
CREATE TABLE "run_label_counts" ("label" text not null, "tenant" text not null, "job_id" text not null, "source" text not null, "status" text not null, "count" bigint not null, constraint "run_label_counts_key" primary key ("label", "tenant", "job_id", "source", "status")) without rowid;
CREATE TABLE "run_days" ("label" text not null, "day" bigint not null, "tenant" text not null, "source" text not null, "status" text not null, "count" bigint not null, constraint "run_days_key" primary key ("label", "day", "tenant", "source", "status")) without rowid;
CREATE TABLE "owners" ("id" text not null primary key, "host" text not null, "lease" text not null, "renewed_at" bigint not null);
CREATE TABLE "instance" ("name" text not null primary key, "value" text not null);
CREATE TABLE "kv" ("tenant" text not null, "namespace" text not null, "key" text not null, "version" bigint not null, "size_bytes" integer not null, "updated_at" bigint not null, "updated_by" text not null, "expires_at" bigint, "request" text, "value" blob not null, constraint "kv_key" primary key ("tenant", "namespace", "key"));
CREATE INDEX "kv_by_expiry" on "kv" ("expires_at") where "expires_at" is not null;
CREATE TABLE "kv_totals" ("tenant" text not null, "namespace" text not null, "keys" bigint not null, "size_bytes" bigint not null, constraint "kv_totals_key" primary key ("tenant", "namespace"));
CREATE TABLE "run_stats" ("span" text not null, "job_id" text not null, "at" bigint not null, "tenant" text not null, "success" bigint not null, "failed" bigint not null, "cancelled" bigint not null, constraint "run_stats_key" primary key ("span", "job_id", "at", "tenant")) without rowid;
CREATE TABLE "run_times" ("span" text not null, "job_id" text not null, "at" bigint not null, "measure" text not null, "bucket" integer not null, "tenant" text not null, "count" bigint not null, constraint "run_times_key" primary key ("span", "job_id", "at", "measure", "bucket", "tenant")) without rowid;
CREATE INDEX "runs_by_creator" on "runs" ("created_by", "created_at", "id", "tenant");
CREATE INDEX "runs_by_trigger" on "runs" ("trigger", "created_at", "id", "tenant");
CREATE INDEX "steps_asking" on "steps" ("started_at", "run_id") where status = 'waiting_approval';
CREATE INDEX "steps_answered" on "steps" ("finished_at", "run_id") where kind = 'approval' and finished_at is not null;
CREATE TABLE "delivery_keys" ("webhook_id" text not null, "key" text not null, "run_id" text not null, "expires_at" bigint not null, constraint "delivery_keys_key" primary key ("webhook_id", "key"));
CREATE INDEX "delivery_keys_by_expiry" on "delivery_keys" ("expires_at");
CREATE TABLE "deliveries" ("id" text not null primary key, "webhook_id" text not null, "tenant" text not null, "at" bigint not null, "result" text not null, "scheme" text not null, "body_hash" text not null, "event" text, "sender_id" text, "run_id" text, "args" text, "has_secrets" integer not null, "problem" text, "detail" text, "repeats" integer not null);
CREATE INDEX "deliveries_by_webhook" on "deliveries" ("webhook_id", "id");
CREATE INDEX "deliveries_by_age" on "deliveries" ("at");
CREATE UNIQUE INDEX "deliveries_by_body" on "deliveries" ("webhook_id", "body_hash", "result") where "run_id" is null;
CREATE TABLE "schedule_pauses" ("tenant" text not null primary key, "paused_at" bigint not null, "paused_by" text not null);
`;
