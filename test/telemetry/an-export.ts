// Exports to a collector over a real store in this process. They can be stopped and opened again on their folder.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { onTestFinished } from 'vitest';
import type { OutputType } from '../../src/domain/event.ts';
import type { RunMove } from '../../src/domain/run.ts';
import type { Signal } from '../../src/store/exports.ts';
import type { LogWriter } from '../../src/store/log/logs.ts';
import type { Store } from '../../src/store/open.ts';
import type { NewRun, RunChange } from '../../src/store/run/runs.ts';
import type { Collector } from '../../src/telemetry/send.ts';
import { startExports } from '../../src/telemetry/start-exports.ts';
import { aRun } from '../store/a-run.ts';
import { moveRun } from '../store/moves.ts';
import { openWithHub } from '../store/open-with-hub.ts';
import { secretIn } from '../support/stored-secrets.ts';

/** 2024-01-15T10:30:00.000Z */
export const startMs = 1_705_314_600_000;

export type Opened = {
  readonly store: Store;
  readonly messages: () => readonly string[];
  readonly time: { nowMs: number };
  /** Adds a run that waits a second, ends 1.5 s later, and is in the journal before this returns. */
  readonly end: (move?: RunMove, run?: Partial<NewRun>, change?: Partial<RunChange>) => Promise<string>;
  /**
   * Appends to the log of a run, as the server does: the lines are stored, and then announced.
   */
  readonly print: (runId: string, text: string, o?: Partial<Printed>) => Promise<void>;
  readonly close: () => Promise<void>;
};

type Printed = {
  readonly type: OutputType;
  readonly stepId: string;
  readonly attempt: number;
  /** Whether the run continues to print. */
  readonly goesOn: boolean;
};

export function dataFolder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'flwd-exports-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

export async function openExport(
  dir: string,
  collector: Partial<Collector> & Pick<Collector, 'endpoint'>,
  {
    secrets = {},
    timeoutMs = 10_000,
    signals = ['traces'],
  }: {
    readonly secrets?: Record<string, string>;
    readonly timeoutMs?: number;
    readonly signals?: readonly Signal[];
  } = {},
): Promise<Opened> {
  const time = { nowMs: startMs };
  const began = performance.now();
  const clock = { now: () => time.nowMs, monotonicMs: () => performance.now() - began };
  const lines: string[] = [];
  const log = pino({ level: 'info' }, { write: (line) => void lines.push(JSON.parse(line).msg) });
  const { store, hub } = await openWithHub(dir, { clock, log });
  const exports = startExports({
    store,
    hub,
    collector: { headers: {}, ...collector },
    signals,
    secretOf: (name) => secretIn(secrets, name),
    clock,
    log,
    version: '1.2.3',
    instance: 'of-a-test',
    beginsAt: hub.latestId + 1,
    timeoutMs,
  });
  const writers = new Map<string, LogWriter>();
  let closing: Promise<void> | undefined;
  async function close(): Promise<void> {
    await exports.close();
    await store.close();
  }
  const opened: Opened = {
    store,
    messages: () => lines,
    time,
    async end(move = 'succeed', run = {}, change = {}) {
      const added = aRun({ createdAtMs: time.nowMs, ...run });
      const startedAtMs = time.nowMs + 1_000;
      await store.db.transact(async (tx) => {
        await store.runs.add(tx, added);
        await moveRun(tx, store.runs, added.id, 'claim', { atMs: startedAtMs });
      });
      await store.db.transact((tx) =>
        moveRun(tx, store.runs, added.id, move, { atMs: startedAtMs + 1_500, ...change }),
      );
      return added.id;
    },
    async print(runId, text, { type = 'run.output', stepId = 'step_01', attempt = 1, goesOn = false } = {}) {
      const writer = writers.get(runId) ?? (await store.logs.openWriter({ runId, epoch: 1, maxSizeBytes: 1e9 }));
      writers.set(runId, writer);
      const bytes = Buffer.from(text);
      const spoolEnd = writer.spoolOffset({ stepId, attempt }) + bytes.length;
      const { firstSeq, count } = writer.append({ stepId, attempt, bytes, spoolEnd });
      if (!goesOn && writers.delete(runId)) await writer.close();
      const about = { runId, jobId: 'backup/daily', tenant: 'default' };
      await store.db.transact(async (tx) => tx.emit({ type, ...about, firstSeq, lineCount: count }));
    },
    close: () => (closing ??= close()),
  };
  onTestFinished(opened.close);
  return opened;
}
