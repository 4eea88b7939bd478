// An export of spans over a real store in this process. It can be stopped and opened again on its folder.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { onTestFinished } from 'vitest';
import type { RunMove } from '../../src/domain/run.ts';
import type { Store } from '../../src/store/open.ts';
import type { NewRun, RunChange } from '../../src/store/run/runs.ts';
import { startTraceExport, type TraceExport } from '../../src/telemetry/export-traces.ts';
import type { Collector } from '../../src/telemetry/send-spans.ts';
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
  readonly close: () => Promise<void>;
};

export function dataFolder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'flwd-traces-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

export async function openExport(
  dir: string,
  collector: Partial<Collector> & Pick<Collector, 'endpoint'>,
  { secrets = {}, timeoutMs = 10_000 }: { readonly secrets?: Record<string, string>; readonly timeoutMs?: number } = {},
): Promise<Opened> {
  const time = { nowMs: startMs };
  const began = performance.now();
  const clock = { now: () => time.nowMs, monotonicMs: () => performance.now() - began };
  const lines: string[] = [];
  const log = pino({ level: 'info' }, { write: (line) => void lines.push(JSON.parse(line).msg) });
  const { store, hub } = await openWithHub(dir, { clock, log });
  const traces: TraceExport = startTraceExport({
    store,
    hub,
    collector: { headers: {}, ...collector },
    secretOf: (name) => secretIn(secrets, name),
    clock,
    log,
    version: '1.2.3',
    instance: 'of-a-test',
    beginsAt: hub.latestId + 1,
    timeoutMs,
  });
  let closing: Promise<void> | undefined;
  async function close(): Promise<void> {
    await traces.close();
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
    close: () => (closing ??= close()),
  };
  onTestFinished(opened.close);
  return opened;
}
