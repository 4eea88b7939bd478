// Waits until no line of a crontab is about to start. The takeover changes the crontab at that moment, so that neither
// cron nor flwd misses a scheduled time.

import { setTimeout as delay } from 'node:timers/promises';
import { parseCron, shortestGapMs } from '../../lib/cron/cron.ts';
import type { Output } from '../terminal/output.ts';
import type { ImportedLine } from './imported-lines.ts';

/**
 * In a quiet moment, no line was due in the last `beforeMs`, because cron can be that late in starting a job. Also, no
 * line is due in the next `afterMs`, because flwd starts no job before cron has noticed the change.
 */
const beforeMs = 15_000;
const afterMs = 90_000;
const longestMs = 180_000;

/** Does not wait for lines that start too often, such as every minute. They may miss a time or two. */
export async function waitForQuiet(lines: readonly ImportedLine[], output: Output): Promise<void> {
  const until = Date.now() + longestMs;
  const times = lines
    .flatMap(({ record }) => record.schedules)
    .flatMap(({ cron, timezone }) => {
      const parsed = parseCron(cron, timezone);
      return 'problem' in parsed || shortestGapMs(parsed) <= beforeMs + afterMs ? [] : [parsed];
    });
  let isSaid = false;
  for (;;) {
    const now = Date.now();
    const isBusy = times.some((one) => (one.next(now - beforeMs) ?? Infinity) <= now + afterMs);
    if (!isBusy || now > until) return;
    if (!isSaid) output.say('waiting until no line is about to start …');
    isSaid = true;
    await delay(1_000);
  }
}
