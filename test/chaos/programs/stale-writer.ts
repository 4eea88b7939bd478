// Plays a former process that stalled and comes back: it holds an attempt by the epoch that it had then, and ends it through
// the store's own functions. Says on stdout whether that changed anything.
// usage: stale-writer.ts DATABASE HELD    HELD is JSON: runId, jobId, tenant, stepId, attempt, epoch

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
  // Its event's id is another's by now, so the commit is refused as well; but it should not have come so far.
}
await database.close();
process.stdout.write(JSON.stringify({ isChanged }));
