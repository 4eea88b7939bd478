// A server under test: `flwd serve` from the installed package on a free port, with its own data dir and jobs. Tests
// use only HTTP and signals.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, inject, vi } from 'vitest';
import type { ArtifactAnswer, RunAnswer } from './answers.ts';
import { type JobFiles, writeJob } from './jobs.ts';
import { isLeftNote } from './left-note.ts';
import { endProcessesOf, type ProcessSeen, processesWith } from './processes.ts';

export type ServerOptions = {
  /** Folder below the first source → the job's files. */
  readonly jobs?: Readonly<Record<string, JobFiles>>;
  /** Sections of flwd.yaml beside `instance.data_dir`, `server.bind` and the source `local-fs`. */
  readonly config?: {
    readonly instance?: Readonly<Record<string, unknown>>;
    readonly server?: Readonly<Record<string, unknown>>;
    readonly [section: string]: unknown;
  };
  readonly env?: Readonly<Record<string, string>>;
  /** The user it runs as, for tests that run as root. They connect through a tunnel of that user. */
  readonly uid?: number;
};

type RequestOptions = {
  readonly method?: string;
  /** Everything except a string is sent as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
};

export type Server = {
  readonly url: string;
  /** The server's folder: `jobs/`, `data/` and `flwd.yaml`. */
  readonly root: string;
  readonly jobsDir: string;
  readonly dataDir: string;
  readonly stdout: string;
  readonly stderr: string;
  /** `path` is below /api/v1, or starts at the root if it begins with `//`. */
  fetch(path: string, options?: RequestOptions): Promise<Response>;
  json<T = Record<string, unknown>>(path: string, options?: RequestOptions): Promise<T>;
  /** Runs a job to its end, and expects that it is accepted. */
  run(jobId: string, args?: unknown, more?: Readonly<Record<string, unknown>>): Promise<RunAnswer>;
  /** Starts a job, and expects that it is accepted. */
  start(jobId: string, args?: unknown, more?: Readonly<Record<string, unknown>>): Promise<string>;
  /** Waits until the run satisfies the claim. */
  runWhen(runId: string, claim: (run: RunAnswer) => boolean): Promise<RunAnswer>;
  finished(runId: string): Promise<RunAnswer>;
  /** Messages of the run's log, oldest first, without the one about files that are not kept. */
  messages(runId: string): Promise<string[]>;
  artifacts(runId: string): Promise<ArtifactAnswer[]>;
  /** Ends the process and waits for it. Resolves with the exit code, or with the signal that ended it. */
  stop(signal?: NodeJS.Signals): Promise<number | NodeJS.Signals>;
  /** Starts it again on the same folder. */
  startAgain(): Promise<void>;
  /** Expects that SIGTERM ends it with 0 and that no process of this server is left. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
};

const living = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

export async function startServer(options: ServerOptions = {}): Promise<Server> {
  const root = await mkdtemp(join(tmpdir(), 'flwd-server-'));
  const jobsDir = join(root, 'jobs');
  const dataDir = join(root, 'data');
  await mkdir(jobsDir);
  for (const [folder, files] of Object.entries(options.jobs ?? {})) await writeJob(join(jobsDir, folder), files);
  const config = {
    sources: [{ name: 'local-fs', type: 'fs', path: jobsDir }],
    ...options.config,
    instance: { data_dir: dataDir, ...options.config?.instance },
    server: { bind: '127.0.0.1:0', ...options.config?.server },
  };
  await writeFile(join(root, 'flwd.yaml'), JSON.stringify(config, null, 2));

  const program = { env: options.env ?? {}, ...(options.uid === undefined ? {} : giveTo(options.uid, root)) };
  let serving = await serveTo(root, program).catch(async (error: unknown) => {
    await rm(root, { recursive: true, force: true });
    throw error;
  });

  const server: Server = {
    root,
    jobsDir,
    dataDir,
    get url() {
      return serving.url;
    },
    get stdout() {
      return serving.output.stdout;
    },
    get stderr() {
      return serving.output.stderr;
    },
    fetch(path, { method, body, headers, signal } = {}) {
      const address = path.startsWith('//') ? serving.url + path.slice(1) : `${serving.url}/api/v1${path}`;
      const asJson = body !== undefined && typeof body !== 'string';
      return fetch(address, {
        method: method ?? (body === undefined ? 'GET' : 'POST'),
        headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
        ...(body === undefined ? {} : { body: asJson ? JSON.stringify(body) : body }),
        ...(signal ? { signal } : {}),
      });
    },
    async json<T>(path: string, request?: RequestOptions) {
      const answer: T = JSON.parse(await (await server.fetch(path, request)).text());
      return answer;
    },
    async run(jobId, args, more) {
      const run = await accepted(await server.fetch('/runs', { body: { job_id: jobId, args, async: false, ...more } }));
      return run.finished_at ? run : server.finished(run.run_id);
    },
    async start(jobId, args, more) {
      return (await accepted(await server.fetch('/runs', { body: { job_id: jobId, args, ...more } }))).run_id;
    },
    runWhen(runId, claim) {
      const look = async () => {
        const run = await server.json<RunAnswer>(`/runs/${runId}`);
        expect(run).toSatisfy(claim);
        return run;
      };
      return vi.waitFor(look, { interval: 25, timeout: 60_000 });
    },
    finished: (runId) => server.runWhen(runId, (run) => run.finished_at !== null),
    async messages(runId) {
      const { logs } = await server.json<{ logs: { message: string }[] }>(`/runs/${runId}/logs`);
      return logs.map((line) => line.message).filter((message) => !isLeftNote(message));
    },
    async artifacts(runId) {
      return (await server.json<{ artifacts: ArtifactAnswer[] }>(`/artifacts?run_id=${runId}`)).artifacts;
    },
    stop: (signal = 'SIGTERM') => serving.stop(signal),
    async startAgain() {
      serving = await serveTo(root, program);
    },
    async close() {
      const ended = await serving.stop('SIGTERM');
      const left = await leftOf(root);
      await endProcessesOf(root);
      await rm(root, { recursive: true, force: true });
      expect({ ended, left }, serving.output.stderr.slice(-2_000)).toEqual({ ended: 0, left: [] });
    },
    [Symbol.asyncDispose]: () => server.close(),
  };
  return server;
}

/**
 * The processes that are left. Running runs outlive their server, and the processes of a run that has just ended end a
 * moment later.
 */
async function leftOf(root: string): Promise<readonly ProcessSeen[]> {
  const isGone = (): void => expect(processesWith(root)).toEqual([]);
  await vi.waitFor(isGone, { interval: 25, timeout: 10_000 }).catch(() => undefined);
  return processesWith(root);
}

async function accepted(response: Response): Promise<RunAnswer> {
  const text = await response.text();
  if (response.status !== 201 && response.status !== 202) throw new Error(`not accepted: ${response.status} ${text}`);
  const run: RunAnswer = JSON.parse(text);
  return run;
}

type Serving = {
  readonly url: string;
  readonly output: { stdout: string; stderr: string };
  stop(signal: NodeJS.Signals): Promise<number | NodeJS.Signals>;
};

type Program = {
  readonly env?: Readonly<Record<string, string>>;
  /** The Node to run it with. */
  readonly node?: string;
  readonly uid?: number;
};

/** Node may be in a folder that the other user cannot enter. */
function giveTo(uid: number, root: string): Program {
  const canRun = spawnSync(process.execPath, ['-e', '0'], { cwd: '/', uid, gid: uid }).status === 0;
  const node = canRun ? process.execPath : join(root, 'node');
  if (!canRun) copyFileSync(process.execPath, node);
  spawnSync('chown', ['-R', `${uid}:${uid}`, root]);
  return { uid, node };
}

/** The words that start flwd: FLWD_TEST_BIN, or the package with the given Node. */
export function flwdCommand(node = process.execPath): readonly [string, ...string[]] {
  const { FLWD_TEST_BIN: bin } = process.env;
  return bin ? [bin] : [node, join(inject('packageDir'), 'bin', 'flwd.js')];
}

/** `flwd` with these arguments, as a user would type it in `cwd`. */
export function spawnFlwd(args: readonly string[], cwd: string, { env = {}, node, uid }: Program = {}): ChildProcess {
  const [program, ...words] = flwdCommand(node);
  const child = spawn(program, [...words, ...args], {
    cwd,
    // The single file unpacks itself into XDG_CACHE_HOME, once for all tests.
    env: { PATH: process.env.PATH, HOME: cwd, XDG_CACHE_HOME: process.env.XDG_CACHE_HOME, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  living.add(child);
  child.on('exit', () => living.delete(child));
  return child;
}

async function serveTo(root: string, program: Program): Promise<Serving> {
  const serving = await serve(root, program);
  if (program.uid === undefined) return serving;
  const tunnel = await openTunnel(serving.url, { ...program, uid: program.uid });
  return {
    ...serving,
    url: tunnel.url,
    async stop(signal) {
      const ended = await serving.stop(signal);
      tunnel.close();
      return ended;
    },
  };
}

const tunnelScript = `
  const [port] = process.argv.slice(1).map(Number);
  require('node:net').createServer((socket) => {
    const onward = require('node:net').connect(port, '127.0.0.1');
    for (const end of [socket, onward]) end.on('error', () => { socket.destroy(); onward.destroy(); });
    socket.pipe(onward).pipe(socket);
  }).listen(0, '127.0.0.1', function () { console.log(this.address().port); });`;

async function openTunnel(url: string, { node = process.execPath, uid }: Program & { uid: number }) {
  const child = spawn(node, ['-e', tunnelScript, new URL(url).port], {
    cwd: '/',
    stdio: ['ignore', 'pipe', 'inherit'],
    uid,
    gid: uid,
  });
  living.add(child);
  child.on('exit', () => living.delete(child));
  const port = await new Promise<string>((resolve) => child.stdout.once('data', (chunk) => resolve(String(chunk))));
  return { url: `http://127.0.0.1:${port.trim()}`, close: () => child.kill() };
}

/** A server listens before it has read its jobs, and refuses runs until then. */
function hasReadJobs(url: string): Promise<void> {
  const look = async (): Promise<void> =>
    expect(await (await fetch(`${url}/readyz`)).text()).not.toContain('The sources are still being read');
  return vi.waitFor(look, { interval: 25, timeout: 60_000 });
}

async function serve(root: string, program: Program): Promise<Serving> {
  const child = spawnFlwd(['serve', '--config', join(root, 'flwd.yaml')], root, program);
  const output = { stdout: '', stderr: '' };
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.on('exit', (code, signal) => resolve(code ?? signal ?? 0));
  });
  // A piece of the output may end within a letter.
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text;
  });
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      output.stdout += text;
      const found = /http:\/\/[^\s/]+(?=\s)/.exec(output.stdout);
      if (found) resolve(found[0]);
    });
    void ended.then((code) => reject(new Error(`flwd serve ended with ${code}\n${output.stdout}${output.stderr}`)));
  });
  await hasReadJobs(url);
  return {
    url,
    output,
    stop(signal) {
      child.kill(signal);
      return ended;
    },
  };
}
