// The folder in the data dir for `flwd takeover`. It has copies of crontabs, and the list of the jobs that a takeover
// is about to take over. If the takeover is interrupted, these jobs are held, so neither cron nor flwd may start them.

import { existsSync } from 'node:fs';
import { join } from 'node:path';

export function takeoverFolder(dataDir: string): string {
  return join(dataDir, 'takeover');
}

/** A list of job ids. The file exists until the takeover is finished. */
export function takeoverFile(dataDir: string): string {
  return join(takeoverFolder(dataDir), 'unfinished.json');
}

export function isTakeoverUnfinished(dataDir: string): boolean {
  return existsSync(takeoverFile(dataDir));
}
