// A flwd for one benchmark: a real process and real jobs, with rate limits raised out of the way.

import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemPath } from '../src/lib/system-path.ts';
import { ask } from './ask.ts';

export type Instance = {
  readonly url: string;
  readonly pid: number;
  readonly dataDir: string;
  readonly jobsDir: string;
  readonly stop: () => Promise<void>;
};

export type BenchJob = { readonly script: string; readonly config?: string };

const checkoutBin = new URL('../bin/flwd.js', import.meta.url).pathname;

/**
 * Starts `flwd serve` on a free port with these jobs, from the sources unless another executable is named. The database
 * is on disk, and the data dir in memory if the machine offers that: some file systems create files more slowly the
 * more files were deleted recently.
 */
export async function startInstance(
  jobs: Readonly<Record<string, BenchJob>>,
  {
    bin = checkoutBin,
    env = {},
    onStart,
    fillDatabase,
  }: {
    readonly bin?: string;
    readonly env?: Readonly<Record<string, string>>;
    readonly onStart?: () => void;
    /** Called with the path of the database before the server starts. */
    readonly fillDatabase?: (path: string) => Promise<void>;
  } = {},
): Promise<Instance> {
  const disk = mkdtempSync(join(tmpdir(), 'flwd-bench-'));
  const memory = mkdtempSync('/dev/shm/flwd-bench-');
  const dataDir = join(memory, 'data');
  for (const [id, job] of Object.entries(jobs)) {
    const dir = join(disk, 'jobs', id);
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, 'config.yaml'), job.config ?? 'command: ./run.sh\n');
    writeFileSync(join(dir, 'run.sh'), job.script);
    chmodSync(join(dir, 'run.sh'), 0o755);
  }
  const config = join(disk, 'flwd.yaml');
  writeFileSync(
    config,
    `instance: { data_dir: ${dataDir} }
persistence: { db_path: ${join(disk, 'flwd.db')} }
sources: [{ name: bench, type: fs, path: ${join(disk, 'jobs')} }]
server: { bind: '127.0.0.1:0' }
scheduler: { global_concurrency: 4 }
security:
  allow_profiles: [secure, permissive, disabled]
  profiles: { secure: { rate_limit: { limit: 1000000, window: 1s } } }
logging: { level: warn }
`,
  );
  await fillDatabase?.(join(disk, 'flwd.db'));
  onStart?.();
  const child = spawn(process.execPath, [bin, 'serve', '--config', config], {
    // The environment of a service. A terminal has more variables, and `disabled` would pass all of them to each
    // script.
    env: { PATH: systemPath, HOME: disk, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const url = await listeningUrl(child);
  return {
    url,
    pid: child.pid ?? 0,
    dataDir,
    jobsDir: join(disk, 'jobs'),
    async stop() {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await ended;
      for (const dir of [disk, memory]) rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Resolves when a `flwd serve` whose stdout is a pipe is ready. */
export async function listeningUrl(child: ChildProcess): Promise<string> {
  let printed = '';
  for await (const chunk of child.stdout ?? []) {
    printed += String(chunk);
    const match = /listening on (http:\S+)/.exec(printed);
    if (match?.[1]) return match[1];
  }
  throw new Error(`the server did not start: ${printed}`);
}

/** Resident memory of a process, in bytes. */
export function residentBytes(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(match?.[1] ?? 0) * 1024;
}

export async function waitForJobs(url: string, count: number): Promise<void> {
  for (;;) {
    const { total } = (await (await fetch(`${url}/api/v1/jobs?limit=1`)).json()) as { total: number };
    if (total >= count) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export type FinishedRun = { run_id: string; status: string; result: { value: Record<string, number> } | null };

export async function createRun(url: string, jobId: string, extra: Record<string, unknown> = {}): Promise<FinishedRun> {
  const { status, text } = await ask(`${url}/api/v1/runs`, { job_id: jobId, ...extra });
  if (status !== 201) throw new Error(`POST /runs answered ${status}: ${text}`);
  return JSON.parse(text) as FinishedRun;
}

export async function getRun(
  url: string,
  runId: string,
): Promise<FinishedRun & { created_at: string; finished_at: string }> {
  return JSON.parse((await ask(`${url}/api/v1/runs/${runId}`)).text) as FinishedRun & {
    created_at: string;
    finished_at: string;
  };
}

/** The unit of /proc/PID/stat on Linux. */
const tickMs = 10;

/** The CPU that all threads of a process have used, without its children. */
export function cpuMs(pid: number): number {
  const [, fields = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ');
  const [user, system] = fields.split(' ').slice(11, 13).map(Number);
  return ((user ?? 0) + (system ?? 0)) * tickMs;
}
