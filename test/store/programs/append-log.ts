// Appends a spool to a run's log, some bytes at a time, and keeps the log open. Ends when it is killed or the disk
// refuses a write. Prints to stdout how far it has come.

import { readFileSync, writeSync } from 'node:fs';
import { errorCode } from '../../../src/lib/error-code.ts';
import { openLogStore, printed, runId } from '../a-log.ts';
import { engines, nowMs } from '../engines.ts';

const [, , engineName, dir = '', spoolPath = ''] = process.argv;
const engine = engines.find(({ engine }) => engine === engineName);
if (!engine) throw new Error(`no engine ${engineName}`);
const spool = readFileSync(spoolPath);
const { store } = await openLogStore(engine, dir, { now: () => nowMs });
const writer = await store.openWriter({ runId, epoch: 1, maxSizeBytes: 2 ** 30 });

let from = writer.spoolOffset({ stepId: 'step_01', attempt: 1 });
for (let sizeBytes = 1; from < spool.length; sizeBytes = (sizeBytes * 7) % 300_007) {
  const to = spool.indexOf('\n', Math.min(from + sizeBytes, spool.length - 1)) + 1;
  try {
    writer.append(printed(spool.subarray(from, to), to));
  } catch (error) {
    writeSync(1, `${errorCode(error)}\n`);
    process.kill(process.pid, 'SIGKILL');
  }
  await writer.ready();
  writeSync(1, `${to}\n`);
  from = to;
}
setInterval(() => undefined, 60_000);
