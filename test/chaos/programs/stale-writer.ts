// Acts as a former process that stalled and continues: ends an attempt with an old epoch, through the store's own
// functions. Prints to stdout whether that changed anything. Usage: stale-writer.ts DATABASE HELD    HELD is JSON:
// runId, jobId, tenant, stepId, attempt, epoch

import { systemClock } from '../../../src/lib/clock.ts';
import { createLogger } from '../../../src/lib/logger.ts';
import { endStep } from '../../../src/store/run/step-moves.ts';
import { openSqliteDatabase } from '../../../src/store/sqlite/sqlite-database.ts';
import type { Held } from '../stale-write.ts';

const [, , path = '', said = ''] = process.argv;
const { runId, jobId, tenant, ...at }: Held = JSON.parse(said);
const database = await openSqliteDatabase({
  path,
  clock: systemClock,
  log: createLogger({ level: 'silent', format: 'text' }),
  onCommit: () => undefined,
});
const ending = { status: 'failed', reason: 'lost', atMs: systemClock.now() } as const;
let isChanged = false;
try {
  await database.transact(async (tx) => {
    isChanged = await endStep(tx, { runId, jobId, tenant }, at, ending);
  });
} catch {
  // The commit would fail as well, because another process has used the event's id. But it must not get that far.
}
await database.close();
process.stdout.write(JSON.stringify({ isChanged }));
