// Attempts as the engine would start them, each in its own folder, which is removed after the test.

import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setImmediate as yieldNow } from 'node:timers/promises';
import { afterAll, onTestFinished } from 'vitest';
import type { UlcProfile } from '../../src/domain/command-action.ts';
import type { JobDefinition } from '../../src/domain/job.ts';
import type { AttemptEnd, AttemptProcess } from '../../src/exec/executor.ts';
import type { LimitedSpec } from '../../src/exec/proc/attempt-groups.ts';
import { openForkServer } from '../../src/exec/proc/fork-server.ts';
import { launch } from '../../src/exec/proc/launch.ts';
import { readStatus } from '../../src/exec/proc/shim-status.ts';
import { aJob } from '../support/a-job.ts';

export type Sample = Partial<Omit<LimitedSpec, 'job' | 'action' | 'secrets'>> & {
  readonly ulcProfile?: UlcProfile;
  readonly command?: readonly string[];
  readonly argspec?: JobDefinition['argspec'];
  readonly env?: JobDefinition['env'];
  readonly secrets?: Readonly<Record<string, string>>;
  /** Files beside the script in the job's folder. */
  readonly files?: Readonly<Record<string, string>>;
};

const scripts: Partial<Record<UlcProfile, string>> = {
  'ulc.python.3': 'main.py',
  'ulc.node': 'main.mjs',
  'ulc.exec': 'tool',
};

/** A folder that is removed after the test. Unlike the data dir, other users may enter it. */
export function temporaryFolder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'flwd-exec-'));
  chmodSync(dir, 0o755);
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

export function sample(script: string, o: Sample = {}): LimitedSpec {
  const dir = join(temporaryFolder(), 'data');
  mkdirSync(dir, { mode: 0o700 });
  const { ulcProfile = 'ulc.shell.bash', argspec = {}, env = {}, secrets = {}, files = {}, ...rest } = o;
  const file = scripts[ulcProfile] ?? 'run.sh';
  const snapshotDir = join(dir, 'snapshot');
  for (const [name, text] of Object.entries({ [file]: script, ...files })) {
    mkdirSync(dirname(join(snapshotDir, name)), { recursive: true });
    writeFileSync(join(snapshotDir, name), text, { mode: 0o755 });
  }
  const { command = [`./${file}`], ...changed } = rest;
  return {
    runId: 'run_01',
    jobId: 'ops/sample',
    stepId: 'step_01',
    tenant: 'default',
    attempt: 1,
    attemptDir: join(dir, 'runs', 'run_01', '1'),
    workspaceDir: join(dir, 'runs', 'run_01', 'workspace'),
    snapshotDir,
    action: { command, ulcProfile },
    variables: {},
    trace: { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' },
    job: { ...job, argspec, env, secretArgs: Object.keys(secrets) },
    args: {},
    secrets: new Map(Object.entries(secrets)),
    profile: 'secure',
    isSandboxed: true,
    runAs: null,
    network: o.profile === undefined || o.profile === 'secure' ? 'none' : 'all',
    read: [],
    write: [],
    masked: [dir],
    passthrough: [],
    limits: null,
    ...changed,
  };
}

export type Ran = {
  readonly end: AttemptEnd;
  /** The spool, with its marks shown as `^`. */
  readonly text: string;
  readonly lines: readonly string[];
  readonly spec: LimitedSpec;
};

const pipesDir = mkdtempSync(join(tmpdir(), 'flwd-pipes-'));
export const forkServer = openForkServer(pipesDir);
afterAll(async () => {
  await forkServer.close();
  rmSync(pipesDir, { recursive: true, force: true });
});

export function start(spec: LimitedSpec): AttemptProcess {
  return launch(spec, forkServer);
}

/** Runs a script to its end. */
export async function run(script: string, o: Sample = {}): Promise<Ran> {
  const spec = sample(script, o);
  const process = start(spec);
  const end = await process.ended;
  return { end, spec, ...printed(spec) };
}

/** What the script has printed; empty if it was not started. */
export function printed(spec: LimitedSpec): { text: string; lines: string[] } {
  const path = join(spec.attemptDir, 'spool');
  const text = existsSync(path) ? readFileSync(path, 'utf8').replaceAll('\x1e', '^') : '';
  return { text, lines: text.split('\n').slice(0, -1) };
}

/** An endless command that is unlike any other command of a test on this machine. */
export const nap = `sleep 3600.${process.pid}s`;

/** The shim that runs an attempt, which also leads its process group. */
export function shimOf(spec: LimitedSpec): number {
  const { pid }: { pid: number } = JSON.parse(
    readFileSync(join(spec.attemptDir, 'status'), 'utf8').split('\n')[0] ?? '',
  );
  return pid;
}

/**
 * Waits until bwrap has created the first process of the sandbox. For some milliseconds, that process does not die
 * together with bwrap.
 */
export async function bwrapWithChild(spec: LimitedSpec): Promise<number> {
  for (;;) {
    const { bwrapPid, isOver } = readStatus(spec.attemptDir) ?? {};
    if (isOver) throw new Error('bwrap ended before that');
    if (bwrapPid !== undefined && childrenOf(bwrapPid) !== '') return bwrapPid;
    await yieldNow();
  }
}

function childrenOf(pid: number): string {
  const path = `/proc/${pid}/task/${pid}/children`;
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

export const succeeded: AttemptEnd = { kind: 'exited', code: 0 };

const job: JobDefinition = { ...aJob, id: 'ops/sample', name: 'sample', namespace: 'ops', path: 'sample', argspec: {} };
