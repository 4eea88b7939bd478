// Samples of what a job may print, and functions that append them to a real log store.

import { join } from 'node:path';
import type { LogLine } from '../../src/domain/log-line.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { createLogger } from '../../src/lib/logger.ts';
import type { Database } from '../../src/store/database.ts';
import { createLogStore, type LogStore } from '../../src/store/log/logs.ts';
import type { Engine } from './engines.ts';

export const runId = 'run_01HXAAAAAAAAAAAAAAAAAAAAZZ';

export async function openLogStore(
  { open }: Engine,
  dir: string,
  clock: Clock,
  retryForMs = 0,
): Promise<{ store: LogStore; database: Database; close: () => Promise<void> }> {
  const { database } = await open(dir);
  const log = createLogger({ level: 'silent', format: 'json' });
  const store = createLogStore({ dir: join(dir, 'logs'), db: database, clock, log, retryForMs });
  return {
    store,
    database,
    async close() {
      await store.close();
      await database.close();
    },
  };
}

/** The argument of a writer's `append` for a step that has printed `text`, and whose spool is `spoolEnd` bytes long. */
export function printed(
  text: string | Buffer,
  spoolEnd: number,
  attempt = 1,
): { attempt: number; stepId: string; bytes: Buffer; spoolEnd: number } {
  return { attempt, stepId: 'step_01', bytes: typeof text === 'string' ? Buffer.from(text) : text, spoolEnd };
}

/** The lines `from` to `to` of a test's spool. */
export function numberedLines(from: number, to: number): string {
  let text = '';
  for (let n = from; n <= to; n++) text += `line ${n} of the backup, ${(n * 2_654_435_761) % 4_294_967_296}\n`;
  return text;
}

export async function linesOf(store: LogStore, id: string): Promise<LogLine[]> {
  const all: LogLine[] = [];
  for (let afterSeq: number | null = 0; afterSeq !== null; ) {
    const { lines, nextSeq } = await store.page(id, { limit: Number.MAX_SAFE_INTEGER, afterSeq });
    for (const line of lines) all.push(line);
    afterSeq = nextSeq;
  }
  return all;
}

export function textOf(lines: readonly LogLine[]): string {
  return lines.map(({ message }) => `${message}\n`).join('');
}

/** The numbers and times of lines, in a form that is fast to compare. */
export function placesOf(lines: readonly LogLine[]): string {
  return lines.map(({ seq, timestamp }) => `${seq} ${timestamp}\n`).join('');
}
