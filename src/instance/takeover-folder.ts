// The folder in the data dir for `flwd takeover`. It has copies of crontabs, the list of the jobs that this instance
// has taken over, and the list of those that a takeover is about to take over. If a takeover is interrupted, these jobs
// are held, so neither cron nor flwd may start them.

import { existsSync } from 'node:fs';
import { join } from 'node:path';

export function takeoverFolder(dataDir: string): string {
  return join(dataDir, 'takeover');
}

/** A list of job ids. The file exists until the takeover is finished. */
export function takeoverFile(dataDir: string): string {
  return join(takeoverFolder(dataDir), 'unfinished.json');
}

/** The ids of all jobs that the instance has taken over. Other instances may have taken over other lines. */
export function takenFile(dataDir: string): string {
  return join(takeoverFolder(dataDir), 'taken.json');
}

export function isTakeoverUnfinished(dataDir: string): boolean {
  return existsSync(takeoverFile(dataDir));
}
