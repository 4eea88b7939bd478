// An instance as it looks after a month of use: job folders, and ended runs that the store's own code has written. Once
// a server runs on it, startDemoRuns adds runs that are running, waiting or asking for approval. By hand: `node
// test/support/demo-instance.ts DIR`, then `flwd serve --config DIR/flwd.yaml`, then the first command again with the
// server's address.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createCatalog } from '../../src/catalog/catalog.ts';
import { errorWords } from '../../src/console/words.ts';
import type { JobDefinition, JsonObject, StepDefinition } from '../../src/domain/job.ts';
import type { RunError, Trigger } from '../../src/domain/run.ts';
import {
  createStepInstances,
  foreachInstances,
  matrixInstances,
  toNewStep,
} from '../../src/engine/run/step-instances.ts';
import { toTimestamp } from '../../src/lib/clock.ts';
import { parseCron } from '../../src/lib/cron/cron.ts';
import { createId } from '../../src/lib/ids.ts';
import { createLogger } from '../../src/lib/logger.ts';
import type { Transaction } from '../../src/store/database.ts';
import { openStore, type Store } from '../../src/store/open.ts';
import type { StepChange } from '../../src/store/run/run-batch.ts';
import type { NewStep } from '../../src/store/run/step-moves.ts';
import { type DemoHistory, demoJobs, invalidJob } from './demo-jobs.ts';
import { createDraw } from './draw.ts';
import { writeJob } from './jobs.ts';

const minMs = 60_000;
const hourMs = 60 * minMs;
const dayMs = 24 * hourMs;
const log = createLogger({ level: 'silent', format: 'json' });

export type DemoInstance = {
  readonly dir: string;
  readonly configFile: string;
  readonly dataDir: string;
  readonly jobsDir: string;
  /** How many runs it has. */
  readonly runs: number;
};

/**
 * Creates `dir` with `flwd.yaml`, `jobs/` and `data/`. Until two days ago, jobs that run often have run only every few
 * hours, so that this takes seconds. The history up to `nowMs` is the same each time.
 */
export async function makeDemoInstance(
  dir: string,
  { nowMs = Date.now(), days = 30 }: { readonly nowMs?: number; readonly days?: number } = {},
): Promise<DemoInstance> {
  const jobsDir = join(dir, 'jobs');
  const dataDir = join(dir, 'data');
  mkdirSync(jobsDir, { recursive: true });
  for (const [id, { files }] of Object.entries(demoJobs)) await writeJob(join(jobsDir, id), files);
  await writeJob(join(jobsDir, invalidJob), { 'config.yaml': 'name: Broken\ncommand: ./absent.sh\nshedules: []\n' });
  const configFile = join(dir, 'flwd.yaml');
  const config = {
    instance: { name: 'prod-eu', data_dir: './data' },
    sources: [{ name: 'shop-jobs', type: 'fs', path: './jobs' }],
    scheduler: { global_concurrency: 8, timezone: 'Europe/Berlin' },
    server: { bind: '127.0.0.1:0' },
    notify: {
      channels: {
        'ops-slack': { type: 'slack', url: { secret: 'slack-ops' } },
        'on-call': { type: 'ntfy', url: 'https://ntfy.example.org/shop-on-call' },
      },
    },
  };
  writeFileSync(configFile, JSON.stringify(config, null, 2));
  const runs = await writeHistory({ jobsDir, dataDir, nowMs, days });
  return { dir, configFile, dataDir, jobsDir, runs };
}

type Writer = {
  readonly store: Store;
  readonly jobs: ReadonlyMap<string, JobDefinition>;
  readonly setClock: (atMs: number) => void;
  readonly draw: () => number;
};

async function writeHistory(o: { jobsDir: string; dataDir: string; nowMs: number; days: number }): Promise<number> {
  let clockMs = o.nowMs;
  const clock = { now: () => clockMs };
  const store = await openStore({
    dbPath: join(o.dataDir, 'flwd.db'),
    blobsDir: o.dataDir,
    clock,
    log,
    onCommit: () => undefined,
  });
  const jobs = await readJobs(o.jobsDir);
  const draw = createDraw();
  const setClock = (atMs: number): void => {
    clockMs = atMs;
  };
  const writer = { store, jobs, draw, setClock };
  const plans = planRuns(o, jobs, draw).toSorted((a, b) => a.createdAtMs - b.createdAtMs);
  const logged: Logged[] = [];
  for (let n = 0; n < plans.length; n += batchOfRuns) {
    await store.db.transact(async (tx) => {
      for (const plan of plans.slice(n, n + batchOfRuns)) {
        const lines = await addRun(tx, writer, plan);
        if (plan.createdAtMs > o.nowMs - (lines.hasFailed ? 7 : 0.5) * dayMs) logged.push(lines);
      }
    });
  }
  for (const lines of logged) await writeLog(writer, lines);
  await store.close();
  return plans.length;
}

const batchOfRuns = 200;

async function readJobs(jobsDir: string): Promise<ReadonlyMap<string, JobDefinition>> {
  const source = { name: 'shop-jobs', type: 'fs', path: jobsDir, mountPath: '.', watch: false, trusted: true } as const;
  const catalog = createCatalog({ sources: [source], aliases: [], exclude: [], log });
  await catalog.start();
  const jobs = new Map(catalog.entries().map(({ definition }) => [definition.id, definition]));
  await catalog.close();
  return jobs;
}

type PlannedRun = {
  readonly jobId: string;
  readonly createdAtMs: number;
  readonly waitedMs: number;
  readonly tookMs: number;
  readonly end: 'succeed' | 'fail' | 'cancel';
  readonly error: RunError;
  readonly createdBy: string;
  readonly trigger: Trigger['type'];
  readonly args: JsonObject;
  /** The run whose step started it. */
  readonly parent?: { readonly run_id: string; readonly step_id: string };
};

const triggerOf: Readonly<Record<string, Trigger['type']>> = {
  'mara.lindt': 'console',
  'jon.weber': 'cli',
  'ci-helper': 'api',
  local: 'rerun',
};

function planRuns(
  { nowMs, days }: { nowMs: number; days: number },
  jobs: ReadonlyMap<string, JobDefinition>,
  draw: () => number,
): PlannedRun[] {
  const plans: PlannedRun[] = [];
  for (const [jobId, { history }] of Object.entries(demoJobs)) {
    if (history === null) continue;
    const [schedule] = history.by ? [] : (jobs.get(jobId)?.schedules ?? []);
    for (const atMs of schedule ? firesOf(schedule, { nowMs, days }) : timesOf(history, { nowMs, days }, draw)) {
      const plan = planRun(jobId, history, { atMs, nowMs, days }, draw);
      // A run that would still be running is left to startDemoRuns.
      if (plan.createdAtMs + plan.waitedMs + plan.tookMs * 2 < nowMs || plan.tookMs < minMs) plans.push(plan);
    }
  }
  return plans;
}

/** The times of a schedule. Until two days ago, a schedule that fires often has only some of its times. */
function firesOf(
  { cron, timezone }: JobDefinition['schedules'][number],
  { nowMs, days }: { nowMs: number; days: number },
): number[] {
  const times = parseCron(cron ?? '', timezone ?? 'Europe/Berlin');
  if ('problem' in times) throw new Error(`the cron pattern ${cron} ${times.problem}`);
  const found: number[] = [];
  let atMs = times.next(nowMs - days * dayMs);
  while (atMs !== null && atMs < nowMs - minMs) {
    found.push(atMs);
    atMs = times.next(atMs > nowMs - 2 * dayMs ? atMs : atMs + 6 * hourMs - 1);
  }
  return found;
}

/** The times at which people start the job, or a schedule that the job does not name. */
function timesOf(
  { everyMin, by }: DemoHistory,
  { nowMs, days }: { nowMs: number; days: number },
  draw: () => number,
): number[] {
  const found: number[] = [];
  const everyMs = everyMin * minMs;
  let atMs = nowMs - everyMs * (0.05 + 0.5 * draw()) - minMs;
  while (atMs > nowMs - days * dayMs) {
    found.push(atMs);
    const isRecent = atMs > nowMs - 2 * dayMs;
    atMs -= Math.max(everyMs, isRecent ? 0 : 6 * hourMs) * (by ? 0.4 + 1.2 * draw() : 1);
  }
  return found;
}

function planRun(
  jobId: string,
  history: DemoHistory,
  { atMs, nowMs, days }: { atMs: number; nowMs: number; days: number },
  draw: () => number,
): PlannedRun {
  const { fails = 0, errors = [], failsForHours = 0, growth = 1, by = ['schedule'], args = [{}] } = history;
  const age = (nowMs - atMs) / (days * dayMs);
  const hasFailed = draw() < (nowMs - atMs < failsForHours * hourMs ? 0.9 : fails);
  const usualMs = history.tookMs * (1 + (growth - 1) * (1 - age)) * (0.85 + 0.3 * draw());
  const createdBy = pick(by, draw) ?? 'schedule';
  return {
    jobId,
    createdAtMs: Math.floor(atMs / 1000) * 1000 + Math.floor(draw() * 400),
    waitedMs: draw() < 0.85 ? 8 + Math.floor(20 * draw()) : Math.floor(4_000 * draw() ** 2),
    tookMs: Math.max(200, Math.floor(usualMs * (hasFailed ? 0.3 + 0.5 * draw() : 1))),
    end: hasFailed ? 'fail' : draw() < 0.004 || (jobId === 'deploy/rollback' && draw() < 0.3) ? 'cancel' : 'succeed',
    error: exited(pick(errors, draw)),
    createdBy,
    trigger: triggerOf[createdBy] ?? 'schedule',
    args: pick(args, draw) ?? {},
  };
}

/** The error in the words of the engine. */
function exited(printed: RunError | undefined): RunError {
  const message = 'exited with code 1';
  return printed ? { ...printed, message: `${message}: ${printed.message}` } : { message };
}

type Logged = { readonly runId: string; readonly jobId: string; readonly endedAtMs: number } & (
  | { readonly hasFailed: false }
  | { readonly hasFailed: true; readonly stepId: string; readonly message: string }
);

/** Adds a run and drives it to its end, as the engine does: one batch for each time at which something happens. */
async function addRun(tx: Transaction, writer: Writer, plan: PlannedRun): Promise<Logged> {
  const { store, jobs, setClock } = writer;
  const job = jobs.get(plan.jobId);
  if (!job) throw new Error(`the demo instance has no job ${plan.jobId}`);
  const id = createId('run', plan.createdAtMs);
  const base = createStepInstances(job.steps, job.title ?? job.name).flatMap((instance) => {
    const step = job.steps[instance.index];
    return step ? [toNewStep(instance, step)] : [];
  });
  setClock(plan.createdAtMs);
  await store.runs.add(tx, toNewRun(job, plan, id, base));
  const about = { runId: id, jobId: job.id, tenant: 'default' };
  const apply = (atMs: number, changes: readonly StepChange[], run: Parameters<typeof store.runs.apply>[2]['run']) => {
    setClock(atMs);
    return store.runs.apply(tx, about, { changes, artifacts: [], run }, (outputs) => outputs);
  };
  const startedAtMs = plan.createdAtMs + plan.waitedMs;
  const claim = { atMs: startedAtMs, owner: 'demo', worker, deadlineAtMs: null };
  await apply(startedAtMs, [], { kind: 'claim', claim });
  const { moments, subRuns, endedAtMs, failedStep } = script(job, plan, base, startedAtMs, writer.draw);
  for (const { atMs, changes } of moments) {
    await apply(atMs, changes, { kind: 'touch', attempt: 1, result: null, epoch: 1 });
  }
  for (const { stepId, ...sub } of subRuns)
    await addRun(tx, writer, { ...sub, parent: { run_id: id, step_id: stepId } });
  const end = { atMs: endedAtMs, epoch: 1, ...ends[plan.end] };
  const error = plan.end === 'fail' ? { ...plan.error, step_id: failedStep } : null;
  await apply(endedAtMs, [], { kind: 'end', move: plan.end, change: { ...end, error } });
  const ended = { runId: id, jobId: job.id, endedAtMs };
  return plan.end === 'fail'
    ? { ...ended, hasFailed: true, stepId: failedStep, message: errorWords(plan.error.message) }
    : { ...ended, hasFailed: false };
}

const worker = 'fra-1';
const ends = {
  succeed: { reason: null, exitCode: 0 },
  fail: { reason: 'exit', exitCode: 1 },
  cancel: { reason: null, exitCode: null },
} as const;

function toNewRun(job: JobDefinition, plan: PlannedRun, id: string, steps: readonly NewStep[]) {
  const isScheduled = plan.trigger === 'schedule';
  const [schedule] = job.schedules;
  const nominal = {
    schedule_id: schedule?.id ?? '',
    nominal_at: toTimestamp(plan.createdAtMs - (plan.createdAtMs % minMs)),
  };
  return {
    id,
    jobId: job.id,
    tenant: 'default',
    createdAtMs: plan.createdAtMs,
    args: plan.args,
    sealed: null,
    labels: isScheduled && schedule ? nominal : {},
    priority: 0,
    trigger: { type: plan.parent ? ('job' as const) : plan.trigger },
    createdBy: isScheduled && schedule ? `schedule:${schedule.id}` : plan.createdBy,
    requestId: null,
    source: { name: 'shop-jobs', type: 'fs' as const, revision },
    security: { profile: 'secure' as const, isolation },
    grants: [],
    limits: { log_bytes: 2 ** 30 },
    waiting: null,
    steps,
    concurrency: { limit: null, key: null },
    rerunOf: null,
    parent: plan.parent ?? null,
    plan: {
      job,
      revision,
      profile: 'secure' as const,
      network: 'none' as const,
      read: [],
      write: [],
      resolvedArgs: {},
    },
  };
}

const revision = '9f31c2e4'.repeat(2);
const isolation = {
  pid_namespace: true,
  network: 'none',
  filesystem: 'workspace',
  environment: 'clean',
  no_new_privileges: true,
  uid: 65_534,
} as const;

type Moment = { readonly atMs: number; readonly changes: readonly StepChange[] };
type SubRun = PlannedRun & { readonly stepId: string };
type Script = {
  readonly moments: readonly Moment[];
  readonly subRuns: readonly SubRun[];
  readonly endedAtMs: number;
  readonly failedStep: string;
};

/** What happens in a run, in order. Steps that do not need each other run at the same time. */
function script(
  job: JobDefinition,
  plan: PlannedRun,
  base: readonly NewStep[],
  startedAtMs: number,
  draw: () => number,
): Script {
  const moments: Moment[] = [];
  const subRuns: SubRun[] = [];
  const endOf = new Map<string, number>();
  const broken = new Set<string>();
  const depth = depthOf(job.steps);
  const working = job.steps.filter(({ action }) => action.kind === 'command');
  const failing = plan.end === 'succeed' ? undefined : (working.find(({ id }) => id === 'test') ?? working.at(-1));
  let count = base.length;
  let endedAtMs = startedAtMs;
  let failedStep = failing?.id ?? '';
  for (const step of job.steps) {
    const fromMs = Math.max(startedAtMs, ...step.needs.map((id) => endOf.get(id) ?? startedAtMs)) + 20;
    if (step.needs.some((id) => broken.has(id)) && !step.always) {
      broken.add(step.id);
      const skip = { reason: 'upstream_failed' as const, atMs: fromMs, message: `${failedStep} failed` };
      moments.push({ atMs: fromMs, changes: [{ kind: 'skip', stepId: step.id, skip }] });
      endOf.set(step.id, fromMs);
      continue;
    }
    const instances = instancesOf(step, plan.args, count);
    count += instances.length;
    if (instances.length > 0)
      moments.push({ atMs: fromMs, changes: [{ kind: 'add', steps: instances }, start(step.id, fromMs)] });
    let untilMs = fromMs;
    for (const stepId of instances.length > 0 ? instances.map(({ step_id: id }) => id) : [step.id]) {
      const asks = step.action.kind === 'approval';
      const tookMs = asks ? (2 + 20 * draw()) * minMs : (plan.tookMs / depth) * (0.8 + 0.4 * draw());
      const ends = Math.floor(fromMs + tookMs);
      untilMs = Math.max(untilMs, ends);
      const hasFailed =
        step === failing && (instances.length === 0 || stepId.includes('node=24,db=pg') || !stepId.includes('node'));
      if (hasFailed) failedStep = stepId;
      moments.push({ atMs: fromMs, changes: [start(stepId, fromMs, step)] });
      moments.push({ atMs: ends, changes: [end(stepId, ends, hasFailed ? plan : null, step)] });
      if (step.action.kind === 'job') subRuns.push(subRunOf(step.action.jobId, plan, { stepId, fromMs, tookMs }));
    }
    if (instances.length > 0)
      moments.push({ atMs: untilMs, changes: [end(step.id, untilMs, step === failing ? plan : null)] });
    if (step === failing) broken.add(step.id);
    endOf.set(step.id, untilMs);
    endedAtMs = Math.max(endedAtMs, untilMs);
  }
  return { moments: moments.toSorted((a, b) => a.atMs - b.atMs), subRuns, endedAtMs: endedAtMs + 30, failedStep };
}

function start(stepId: string, atMs: number, step?: StepDefinition): StepChange {
  const asks = step?.action.kind === 'approval' ? step.action.text : null;
  const status = asks === null ? 'running' : 'waiting_approval';
  return {
    kind: 'start',
    at: { stepId, attempt: 1 },
    start: { status, atMs, worker, deadlineAtMs: null, message: asks },
  };
}

const approved = { decision: 'approve', by: 'jon.weber', comment: 'price list is final' } as const;

function end(stepId: string, atMs: number, failed: PlannedRun | null, step?: StepDefinition): StepChange {
  const isCancelled = failed?.end === 'cancel';
  const status = failed === null ? 'success' : isCancelled ? 'cancelled' : 'failed';
  const ending = {
    status,
    reason: failed === null || isCancelled ? null : 'exit',
    atMs,
    exitCode: failed === null ? 0 : isCancelled ? null : 1,
    message: status === 'failed' ? (failed?.error.message ?? null) : null,
    hint: status === 'failed' ? (failed?.error.hint ?? null) : null,
    outputs: {},
    termination: null,
    approval: step?.action.kind === 'approval' ? approved : null,
  } as const;
  return { kind: 'end', at: { stepId, attempt: 1, epoch: 1 }, ending, openOutputs: null };
}

function instancesOf(step: StepDefinition, args: JsonObject, count: number): NewStep[] {
  const { hosts } = args;
  const instances = step.matrix
    ? matrixInstances(step.id, step.matrix)
    : step.foreach && Array.isArray(hosts)
      ? foreachInstances(step.id, hosts)
      : [];
  return instances.map(({ stepId, item }, at) => ({
    step_id: stepId,
    n: count + 1 + at,
    name: step.name ?? step.id,
    kind: step.action.kind,
    needs: step.needs,
    instance_of: step.id,
    item: JSON.stringify(item),
  }));
}

function subRunOf(jobId: string, plan: PlannedRun, at: { stepId: string; fromMs: number; tookMs: number }): SubRun {
  const { args: _, ...of } = plan;
  return {
    ...of,
    jobId,
    args: { version: plan.args.version ?? '2.14.0' },
    createdAtMs: Math.floor(at.fromMs),
    waitedMs: 10,
    tookMs: Math.floor(at.tookMs - 200),
    end: 'succeed',
    stepId: at.stepId,
  };
}

function depthOf(steps: readonly StepDefinition[]): number {
  const depths = new Map<string, number>();
  for (const { id, needs, action } of steps) {
    const above = Math.max(0, ...needs.map((need) => depths.get(need) ?? 0));
    depths.set(id, above + (action.kind === 'approval' ? 0 : 1));
  }
  return Math.max(1, ...depths.values());
}

async function writeLog({ store, setClock }: Writer, run: Logged): Promise<void> {
  setClock(run.endedAtMs - 2_000);
  const writer = await store.logs.openWriter({ runId: run.runId, epoch: 1, maxSizeBytes: 2 ** 30 });
  const lines = [`${run.jobId} begins`, ...Array.from({ length: 12 }, (_, n) => `part ${n + 1} of 12 done`)];
  if (run.hasFailed) lines.push(`\u001eE${run.message}`);
  const bytes = Buffer.from(`${lines.join('\n')}\n`);
  writer.append({ attempt: 1, stepId: run.hasFailed ? run.stepId : 'step_01', bytes, spoolEnd: bytes.length });
  await writer.close();
}

function pick<T>(of: readonly T[], draw: () => number): T | undefined {
  return of[Math.floor(of.length * draw())];
}

/**
 * The runs that an instance has while somebody looks at it: some are running, one waits for another, and three ask for
 * approval.
 */
const liveRuns: readonly (readonly [jobId: string, args: JsonObject])[] = [
  ['ml/embed-products', {}],
  ['web/link-check', {}],
  ['shop/search-index', {}],
  ['deploy/storefront', { version: '2.14.0-rc.2' }],
  ['deploy/storefront', { version: '2.14.0-rc.3' }],
  ['deploy/api', {}],
  ['infra/patch-hosts', {}],
  ['db/migrate', {}],
  ['shop/release', { env: 'staging', version: '2.14.0-rc.3', hosts: ['web1.fra'] }],
];

/** Resolves with their ids, in the order of `liveRuns`, as soon as the server has accepted them. */
export async function startDemoRuns(url: string, headers: Readonly<Record<string, string>> = {}): Promise<string[]> {
  const ids: string[] = [];
  const start = (jobId: string, args: JsonObject) =>
    fetch(`${url}/api/v1/runs`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ job_id: jobId, args }),
    });
  for (const [jobId, args] of liveRuns) {
    let answer = await start(jobId, args);
    // The server has not read its sources yet.
    for (; answer.status === 503; answer = await start(jobId, args)) await delay(100);
    const text = await answer.text();
    if (answer.status !== 201) throw new Error(`${jobId} was not started: ${answer.status} ${text}`);
    ids.push(JSON.parse(text).run_id);
  }
  return ids;
}

if (import.meta.main) {
  const [target = ''] = process.argv.slice(2);
  if (target === '') throw new Error('name a folder to make, or the address of a server to start runs on');
  if (target.startsWith('http')) console.log((await startDemoRuns(target)).join('\n'));
  else {
    const { configFile, runs } = await makeDemoInstance(resolve(target));
    console.log(`${runs} runs; flwd serve --config ${configFile}`);
  }
}
