// A notifier over a real store in this process. Runs end and time passes as the test says, and it can be stopped and
// opened again on its folder.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { onTestFinished } from 'vitest';
import { createCatalog } from '../../src/catalog/catalog.ts';
import type { Channel, ChannelRule, NotifyRule, Smtp } from '../../src/domain/notification.ts';
import type { RunMove } from '../../src/domain/run.ts';
import { createChannels } from '../../src/notify/channels.ts';
import { createMessages } from '../../src/notify/message.ts';
import { type Notifier, startNotifier } from '../../src/notify/notifier.ts';
import type { ReachOf } from '../../src/notify/reach.ts';
import { openSigner } from '../../src/notify/signing.ts';
import type { NewLate } from '../../src/store/late.ts';
import type { Store } from '../../src/store/open.ts';
import type { NewRun, RunChange } from '../../src/store/run/runs.ts';
import { sourceAt } from '../catalog/source-fixture.ts';
import { aRun } from '../store/a-run.ts';
import { moveRun } from '../store/moves.ts';
import { openWithHub } from '../store/open-with-hub.ts';
import { secretIn } from '../support/stored-secrets.ts';

/** 2024-01-15T10:30:00.000Z */
export const startMs = 1_705_314_600_000;
const signingKey = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

export type Opened = {
  readonly store: Store;
  readonly notifier: Notifier;
  readonly log: readonly Readonly<Record<string, unknown>>[];
  /** The test moves `nowMs` to let time pass, and `setMs` to set the wall clock away from it. */
  readonly time: { nowMs: number; setMs: number };
  /** Adds a run that ends at once, and returns its id. */
  readonly end: (notify: readonly NotifyRule[], move?: RunMove, more?: EndOptions) => Promise<string>;
  /** Adds something that is late, as the engine does. */
  readonly add: (late: NewLate) => Promise<void>;
  readonly close: () => Promise<void>;
};

type EndOptions = {
  readonly run?: Partial<NewRun>;
  readonly change?: Partial<RunChange>;
  /** Who requested its cancel. */
  readonly cancelBy?: string;
  readonly title?: string;
  /** The source of its job was untrusted when it was created. */
  readonly isUntrusted?: boolean;
  /** The lines of its log. */
  readonly lines?: readonly string[];
  /** The lines that flwd adds to them. */
  readonly notes?: readonly string[];
};

export function dataFolder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'flwd-notices-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  writeFileSync(join(dir, 'notify.key'), `${signingKey}\n`);
  return dir;
}

type NotifierOptions = {
  readonly timeoutMs?: number;
  readonly channels?: readonly Channel[];
  readonly smtp?: Smtp;
  readonly secrets?: Record<string, string>;
  readonly publicUrl?: string;
  readonly instance?: string;
  /** The rules of flwd.yaml, for what is late. */
  readonly rules?: readonly ChannelRule[];
  /** A folder of jobs. */
  readonly jobs?: string;
  /** By default, requests may reach every address. */
  readonly reachOf?: ReachOf;
  /** The time at which it starts. */
  readonly nowMs?: number;
};

export async function openNotifier(dir: string, o: NotifierOptions = {}): Promise<Opened> {
  const time = { nowMs: o.nowMs ?? startMs, setMs: 0 };
  const clock = { now: () => time.nowMs + time.setMs, monotonicMs: () => time.nowMs };
  const lines: Record<string, unknown>[] = [];
  const log = pino({ level: 'debug' }, { write: (line) => void lines.push(JSON.parse(line)) });
  const { store, hub } = await openWithHub(dir, { clock, log });
  const signer = openSigner(join(dir, 'notify.key'));
  const {
    channels: listed = [],
    smtp = null,
    secrets = {},
    publicUrl = null,
    instance = 'flwd',
    rules = [],
    jobs,
    nowMs: _,
    ...more
  } = o;
  const sources = jobs === undefined ? [] : [sourceAt(jobs, { watch: false })];
  const catalog = createCatalog({ sources, aliases: [], exclude: [], log });
  await catalog.start();
  const channels = createChannels({
    channels: listed,
    smtp,
    secretOf: (name) => secretIn(secrets, name),
  });
  const scheduleOf = (id: string) =>
    id === 'schedule_berlin' ? { name: 'at-night', timezone: 'Europe/Berlin' } : undefined;
  const messages = createMessages({ store, publicUrl, instance, host: 'db1', timezone: 'UTC', scheduleOf });
  let seen = (): void => undefined;
  const onSeen = (listener: () => void): void => {
    seen = listener;
  };
  const late = { catalog, rules, onSeen };
  const secretOf = (_tenant: string, name: string): Promise<string> => secretIn(secrets, name);
  const parts = {
    store,
    hub,
    channels,
    messages,
    signer,
    late,
    tenantSecret: secretOf,
    clock,
    log,
  };
  const notifier = startNotifier({ ...parts, reachOf: () => undefined, random: () => 0.5, ...more });

  let closing: Promise<void> | undefined;
  async function close(): Promise<void> {
    await notifier.close();
    await catalog.close();
    await store.close();
  }
  const opened: Opened = {
    store,
    notifier,
    log: lines,
    time,
    async add(one) {
      await store.db.transact((tx) => store.late.add(tx, one));
      seen();
    },
    async end(
      notify,
      move = 'fail',
      { run = {}, change = {}, cancelBy, title, isUntrusted, lines = [], notes = [] } = {},
    ) {
      const added = aRun({ createdAtMs: time.nowMs, ...run });
      const job = { ...added.plan.job, notify, ...(title !== undefined && { title }) };
      const plan = { ...added.plan, job, ...(isUntrusted && { untrustedSource: { name: 'ext', trusted: false } }) };
      await store.db.transact(async (tx) => {
        await store.runs.add(tx, { ...added, plan });
        await moveRun(tx, store.runs, added.id, 'claim', { atMs: time.nowMs });
      });
      if (lines.length > 0) await writeLog(store, added.id, lines, notes);
      await store.db.transact(async (tx) => {
        if (cancelBy !== undefined) await store.runs.requestCancel(tx, added.id, { atMs: time.nowMs, by: cancelBy });
        await moveRun(tx, store.runs, added.id, move, {
          atMs: time.nowMs + 1_500,
          exitCode: 3,
          reason: 'exit',
          ...change,
        });
      });
      return added.id;
    },
    close: () => (closing ??= close()),
  };
  onTestFinished(() => opened.close());
  return opened;
}

async function writeLog(
  store: Store,
  runId: string,
  lines: readonly string[],
  notes: readonly string[],
): Promise<void> {
  const writer = await store.logs.openWriter({ runId, epoch: 1, maxSizeBytes: 2 ** 30 });
  const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
  writer.append({ attempt: 1, stepId: 'step_01', bytes, spoolEnd: bytes.length });
  for (const message of notes) writer.note({ attempt: 1, stepId: 'step_01', message });
  await writer.ready();
  await writer.close();
}
