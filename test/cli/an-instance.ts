// An instance as an operator would set it up: a folder with jobs, a flwd.yaml and a data dir, served by the real flwd.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import type { RunAnswer } from '../support/answers.ts';
import { type JobFiles, writeJob } from '../support/jobs.ts';
import { isLeftNote } from '../support/left-note.ts';
import { endProcessesOf } from '../support/processes.ts';
import { createFolder, start } from './terminal.ts';

export type Instance = {
  readonly dir: string;
  readonly dataDir: string;
  readonly serve: (...options: readonly string[]) => Promise<Served>;
};

type Served = {
  readonly url: string;
  readonly fetch: (path: string, init?: RequestInit) => Promise<Response>;
  readonly json: <T>(path: string) => Promise<T>;
  readonly start: (jobId: string, args?: unknown) => Promise<string>;
  readonly run: (jobId: string, args?: unknown) => Promise<RunAnswer>;
  readonly messages: (runId: string) => Promise<string[]>;
  readonly finished: (runId: string) => Promise<RunAnswer>;
  /** Sends SIGTERM and expects the exit code 0. */
  readonly stop: () => Promise<void>;
  /** Sends SIGKILL, and waits until the server has ended. */
  readonly kill: () => Promise<void>;
};

export async function createInstance(
  jobs: Readonly<Record<string, JobFiles>>,
  sections: Readonly<Record<string, unknown>> & { readonly server?: Readonly<Record<string, unknown>> } = {},
  dir: string = createFolder(),
): Promise<Instance> {
  const dataDir = join(dir, 'data');
  for (const [folder, files] of Object.entries(jobs)) await writeJob(join(dir, 'jobs', folder), files);
  mkdirSync(join(dir, 'jobs'), { recursive: true });
  const config = { ...sections, instance: { data_dir: dataDir }, server: { ...sections.server, bind: '127.0.0.1:0' } };
  writeFileSync(join(dir, 'flwd.yaml'), JSON.stringify(config));
  // Jobs continue without their server.
  onTestFinished(() => endProcessesOf(dataDir));
  return { dir, dataDir, serve: (...options) => serve(dir, Object.keys(jobs), options) };
}

async function serve(dir: string, jobIds: readonly string[], options: readonly string[]): Promise<Served> {
  const { child, ended, prints } = start(dir, ['serve', ...options]);
  const [, url] = await prints(/listening on (\S+)/);
  const served = (path: string, init?: RequestInit): Promise<Response> => fetch(`${url}/api/v1${path}`, init);
  for (const id of jobIds) await expect.poll(async () => (await served(`/jobs/${id}`)).status).toBe(200);

  async function json<T>(path: string): Promise<T> {
    const answer: T = JSON.parse(await (await served(path)).text());
    return answer;
  }
  async function begin(jobId: string, args: unknown = {}): Promise<string> {
    const answer = await served('/runs', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ job_id: jobId, args }),
    });
    const run: RunAnswer = JSON.parse(await answer.text());
    return run.run_id;
  }
  async function finished(runId: string): Promise<RunAnswer> {
    await expect.poll(async () => (await json<RunAnswer>(`/runs/${runId}`)).finished_at).not.toBeNull();
    return json(`/runs/${runId}`);
  }
  return {
    url: String(url),
    fetch: served,
    json,
    start: begin,
    finished,
    run: async (jobId, args) => finished(await begin(jobId, args)),
    async messages(runId) {
      const { logs } = await json<{ logs: { message: string }[] }>(`/runs/${runId}/logs`);
      return logs.map(({ message }) => message).filter((message) => !isLeftNote(message));
    },
    async stop() {
      child.kill('SIGTERM');
      expect((await ended).code).toBe(0);
    },
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
