// A flwd that may run a hundred jobs at once, and that can be killed and started again on the same folder.

import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BenchJob } from './instance.ts';

export type Fleet = {
  readonly url: string;
  readonly kill: () => Promise<void>;
  readonly startAgain: () => Promise<void>;
  readonly stop: () => Promise<void>;
};

export async function startFleet(bin: string, jobs: Readonly<Record<string, BenchJob>>): Promise<Fleet> {
  const dir = mkdtempSync(join(tmpdir(), 'flwd-fleet-'));
  for (const [id, { script, config = 'command: ./run.sh\n' }] of Object.entries(jobs)) {
    const job = join(dir, 'jobs', id);
    mkdirSync(job, { recursive: true });
    writeFileSync(join(job, 'config.yaml'), config);
    writeFileSync(join(job, 'run.sh'), script);
    chmodSync(join(job, 'run.sh'), 0o755);
  }
  const config = join(dir, 'flwd.yaml');
  writeFileSync(
    config,
    `instance: { data_dir: ${join(dir, 'data')} }
sources: [{ name: bench, type: fs, path: ${join(dir, 'jobs')} }]
server: { bind: '127.0.0.1:0' }
scheduler: { global_concurrency: 128 }
security: { profiles: { secure: { rate_limit: { limit: 1000000, window: 1s } } } }
logging: { level: warn }
`,
  );
  let serving = await serve(bin, config);
  return {
    get url() {
      return serving.url;
    },
    kill: () => end(serving.child, 'SIGKILL'),
    async startAgain() {
      serving = await serve(bin, config);
    },
    async stop() {
      await end(serving.child, 'SIGTERM');
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function serve(bin: string, config: string): Promise<{ url: string; child: ChildProcess }> {
  const child = spawn(process.execPath, [bin, 'serve', '--config', config], { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  for await (const chunk of child.stdout) {
    printed += String(chunk);
    const [, url] = /listening on (http:\S+)/.exec(printed) ?? [];
    if (url !== undefined) return { url, child };
  }
  throw new Error(`the server did not start: ${printed}`);
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await ended;
}
