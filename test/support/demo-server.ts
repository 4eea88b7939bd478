// A server on the demo instance, with runs that are running, waiting or asking for approval.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { makeDemoInstance, startDemoRuns } from './demo-instance.ts';

const checkoutBin = join(import.meta.dirname, '../../bin/flwd.js');

export type DemoServer = {
  readonly url: string;
  readonly jobsDir: string;
  /** Two runs that failed. */
  readonly failed: readonly string[];
  /** Ends the server and removes its folder. */
  readonly stop: () => Promise<void>;
};

/** Makes the instance in `dir` and starts it: from the sources unless another executable is named. */
export async function startDemoServer(
  dir: string,
  { days = 30, bin = checkoutBin }: { readonly days?: number; readonly bin?: string } = {},
): Promise<DemoServer> {
  const { configFile, jobsDir } = await makeDemoInstance(dir, { days });
  const words = [bin, 'serve', '--config', configFile, '--stop-runs'];
  const server = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'ignore'] });
  let url = '';
  for await (const line of createInterface({ input: server.stdout })) {
    url = /http:\/\/[\d.]+:\d+/.exec(line)?.[0] ?? '';
    if (url !== '') break;
  }
  await startDemoRuns(url);
  const answer = await fetch(`${url}/api/v1/runs?status=failed&limit=2`);
  return {
    url,
    jobsDir,
    failed: JSON.parse(await answer.text()).runs.map(({ run_id: id }: { readonly run_id: string }) => id),
    async stop() {
      server.kill();
      await once(server, 'exit');
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
