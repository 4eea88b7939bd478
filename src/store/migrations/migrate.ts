// Migrates a database to the newest schema, in one transaction. Refuses a database from a newer flwd.

import type { Kysely } from 'kysely';
import type { Logger } from '../../lib/logger.ts';
import { StartError } from '../../lib/start-error.ts';
import { localTimezone } from '../../lib/timezone.ts';
import type { Schema } from '../schema.ts';
import { initial } from './0001-initial.ts';
import { steps } from './0002-steps.ts';
import { schedules } from './0003-schedules.ts';
import { notices } from './0004-notices.ts';
import { retention } from './0005-retention.ts';
import { tokens } from './0006-tokens.ts';
import { secrets } from './0007-secrets.ts';
import { audit } from './0008-audit.ts';
import { tenants } from './0009-tenants.ts';
import { runTotals } from './0010-run-totals.ts';
import { runDays } from './0011-run-days.ts';
import { whatARunLeaves } from './0012-what-a-run-leaves.ts';
import { clockSet } from './0013-clock-set.ts';
import { owners } from './0014-owners.ts';
import { hints } from './0015-hints.ts';
import { heldSchedules } from './0016-held-schedules.ts';
import { kv } from './0017-kv.ts';
import { runStats } from './0018-run-stats.ts';
import { listsOfRuns } from './0020-lists-of-runs.ts';
import { webhooks } from './0021-webhooks.ts';
import { deliveries } from './0024-deliveries.ts';
import { channels } from './0026-channels.ts';
import { daysOfSchedules } from './0027-days-of-schedules.ts';
import { failures } from './0028-failures.ts';
import { triggers } from './0030-triggers.ts';
import { endsByTenant } from './0031-ends-by-tenant.ts';
import { mailRecipients } from './0032-mail-recipients.ts';
import { limitedTokens } from './0033-limited-tokens.ts';
import { late } from './0035-late.ts';
import { madeWebhooks } from './0036-made-webhooks.ts';
import { heartbeats } from './0037-heartbeats.ts';
import { backfills } from './0038-backfills.ts';
import { watchedFiles } from './0039-watched-files.ts';
import { firstRevisions } from './0040-first-revisions.ts';
import { triggerChains } from './0041-trigger-chains.ts';
import { jobsOfSchedules } from './0042-jobs-of-schedules.ts';
import { whoCancelled } from './0043-who-cancelled.ts';
import type { ColumnTypes, Migration } from './migration.ts';

/** All migrations, in order. The version of a database is the number of migrations that were applied to it. */
export const migrations: readonly Migration[] = [
  initial,
  steps,
  schedules,
  notices,
  retention,
  tokens,
  secrets,
  audit,
  tenants,
  runTotals,
  runDays,
  whatARunLeaves,
  clockSet,
  owners,
  hints,
  heldSchedules,
  kv,
  runStats,
  listsOfRuns,
  webhooks,
  deliveries,
  daysOfSchedules,
  channels,
  failures,
  triggers,
  endsByTenant,
  mailRecipients,
  madeWebhooks,
  limitedTokens,
  late,
  heartbeats,
  watchedFiles,
  backfills,
  firstRevisions,
  triggerChains,
  jobsOfSchedules,
  whoCancelled,
];

/** @throws StartError if the database is from a newer flwd */
export function assertKnownSchema(found: number): void {
  if (found <= migrations.length) return;
  throw new StartError(
    `the database was written by a newer flwd: its schema is ${found}, this version knows ${migrations.length}; ` +
      'start the newer version, or restore a backup from before the upgrade',
  );
}

/** The database to migrate. */
type MigrationTarget = {
  readonly db: Kysely<Schema>;
  readonly types: ColumnTypes;
  readonly log: Pick<Logger, 'info'>;
  readonly version: () => number;
  /**
   * Creates the newest schema in an empty database. Without this function, all migrations run instead.
   * @returns the version of that schema
   */
  readonly createSchema?: () => number;
  /** Runs `work` in a transaction. The same transaction sets the version. */
  readonly raise: (toVersion: number, work: () => Promise<void>) => Promise<void>;
};

/** @throws Error if the database is from a newer flwd */
export async function migrate({ db, types, log, version, createSchema, raise }: MigrationTarget): Promise<void> {
  const found = version();
  assertKnownSchema(found);
  if (found === migrations.length) return;
  // Logs this before the work begins. The server answers nothing until the work is done, and an operator who stops it
  // would only make it start again.
  if (found > 0)
    log.info({ from: found, to: migrations.length }, 'upgrading the database; with many runs it takes minutes');
  await raise(migrations.length, async () => {
    const reached = found === 0 && createSchema ? createSchema() : found;
    for (const migration of migrations.slice(reached)) {
      for (const statement of migration.statements(db, types)) await statement.execute();
    }
    await storeTimezone(db, found === 0 ? localTimezone() : 'UTC');
  });
}

/**
 * Stores the time zone when an instance is new. In an older instance, schedules without a time zone used UTC, and still
 * do.
 */
async function storeTimezone(db: Kysely<Schema>, timezone: string): Promise<void> {
  await db
    .insertInto('instance')
    .values({ name: 'timezone', value: timezone })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .execute();
}
