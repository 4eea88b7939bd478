// The program that reads the output, the server or the user goes away while a command is working.

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { bash } from '../support/jobs.ts';
import { createInstance } from './an-instance.ts';
import { bin, flwd, type Started, start } from './terminal.ts';

const jobs = { endless: bash('while :; do echo on; sleep 0.1; done') };

async function inShell(dir: string, words: string): Promise<{ stdout: string; stderr: string }> {
  const env = { PATH: process.env.PATH, HOME: dir, NODE: process.execPath, FLWD: bin };
  return promisify(execFile)('bash', ['-c', `${words}; echo "codes \${PIPESTATUS[*]}"`], { cwd: dir, env });
}

async function listening({ prints }: Started): Promise<string> {
  const [, url = ''] = await prints(/listening on (\S+)/);
  return url;
}

test.each(['logs --follow RUN', 'events'])(
  'flwd %s ends when the program that reads its output has ended',
  async (words) => {
    const instance = await createInstance(jobs);
    const server = await instance.serve();
    const runId = await server.start('endless');
    const command = words.replace('RUN', runId);
    const piped = inShell(instance.dir, `"$NODE" "$FLWD" ${command} | head -1`);
    expect((await piped).stdout).toMatch(/^.+\ncodes 0 0\n$/);
  },
);

test('output that does not fit on a full disk is an error', async () => {
  const { dir } = await createInstance(jobs);
  const { stdout, stderr } = await inShell(dir, '"$NODE" "$FLWD" jobs --json > /dev/full');
  expect(stderr).toBe('cannot write all of the output to standard output (ENOSPC)\n');
  expect(stdout).toBe('codes 2\n');
});

test('if the server disappears, flwd run says so, and Ctrl-C ends the command but not the run', async () => {
  const { dir } = await createInstance(jobs);
  const server = start(dir, ['serve']);
  await listening(server);
  const { child, ended, prints } = start(dir, ['endless']);
  await prints(/^on$/m);
  server.child.kill('SIGKILL');
  await prints(/No server can be reached at http\S+ Trying again until it answers\./);
  child.kill('SIGINT');
  const { code, stderr } = await ended;
  expect(code).toBe(130);
  expect(stderr).toMatch(
    / could not be cancelled: No server can be reached .*\nrun_\w+ is still running; `flwd cancel/,
  );
});

test('Ctrl-C while a run is being created cancels the run as soon as it exists', async () => {
  const { dir } = await createInstance(jobs);
  const server = start(dir, ['serve']);
  const url = await listening(server);
  const { address, runIsMade, letGo } = await openSlowWay(url);
  const { child, ended } = start(dir, ['endless'], { FLWD_REMOTE: address });
  const runId = await runIsMade;
  child.kill('SIGINT');
  letGo();
  const { code, stderr } = await ended;
  expect(stderr).toContain(`cancelling ${runId}`);
  expect(code).toBe(130);
  const run: { readonly status: string } = JSON.parse((await flwd(dir, 'runs', runId, '--json')).stdout);
  expect(run.status).toBe('cancelled');
});

/** A proxy that holds back the response that says that a run was created. */
async function openSlowWay(url: string) {
  const made = Promise.withResolvers<string>();
  const held = Promise.withResolvers<void>();
  const proxy = createServer((request, response) => {
    const pass = async (): Promise<void> => {
      const { method = 'GET', url: path = '' } = request;
      const { accept = '*/*' } = request.headers;
      const headers = { accept, 'content-type': 'application/json' };
      const text = (await request.toArray()).join('');
      const answer = await fetch(url + path, { method, headers, ...(method === 'POST' && { body: text || '{}' }) });
      if (method === 'POST' && path.endsWith('/runs')) {
        const { run_id: runId }: { run_id: string } = JSON.parse(await answer.clone().text());
        made.resolve(runId);
        await held.promise;
      }
      response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' });
      if (answer.body) await pipeline(Readable.fromWeb(answer.body), response);
      else response.end();
    };
    pass().catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined));
  });
  onTestFinished(() => {
    proxy.close().closeAllConnections();
  });
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
  const address = proxy.address();
  if (typeof address !== 'object' || !address) throw new Error('it listens nowhere');
  return { address: `http://127.0.0.1:${address.port}`, runIsMade: made.promise, letGo: held.resolve };
}
