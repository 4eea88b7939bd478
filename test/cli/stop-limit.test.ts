// A stop that does not finish by itself: a part of the server hangs, or a thread of the process is blocked.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished } from 'vitest';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { processesWith } from '../support/processes.ts';
import { createInstance, type Instance } from './an-instance.ts';
import { bin, start } from './terminal.ts';

const test = testWith('bwrap');
const jobs = {
  waits: bash('until [ -e "$GO" ]; do sleep 0.05; done; echo went', { env: { GO: '/workspace/go' } }),
  quick: bash('echo done'),
};

/** Loaded before flwd: closing a network server of this process never finishes. */
const hangs = loading("import { Server } from 'node:net'; Server.prototype.close = function () { return this; };");
const forced = /this process did not stop within 12 s because of the HTTP server: it ends now; nothing is lost/;

function loading(code: string): Readonly<Record<string, string>> {
  return { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(code)}` };
}

async function serve({ dir }: Instance, env: Readonly<Record<string, string>>) {
  const server = start(dir, ['serve'], env);
  const [, url] = await server.prints(/listening on (\S+)/);
  return { ...server, url };
}

describe('a part of the server that does not stop', () => {
  test('is named, the server ends with 70, and the next server resumes its runs', async () => {
    const instance = await createInstance(jobs);
    const { child, ended, prints, url } = await serve(instance, hangs);
    await expect.poll(async () => (await fetch(`${url}/api/v1/jobs/waits`)).status).toBe(200);
    const answer = await fetch(`${url}/api/v1/runs`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ job_id: 'waits' }),
    });
    const { run_id: runId }: { run_id: string } = JSON.parse(await answer.text());
    await expect.poll(() => processesWith(runId)).not.toEqual([]);
    child.kill('SIGTERM');
    await prints(/still stopping: the HTTP server/);
    const { code, stderr } = await ended;
    expect({ code, stderr }).toEqual({ code: 70, stderr: expect.stringMatching(forced) });

    const next = await instance.serve();
    writeFileSync(join(instance.dataDir, 'runs', runId, 'workspace/go'), '');
    expect(await next.finished(runId)).toMatchObject({ status: 'success', attempt: 1 });
    expect(await next.messages(runId)).toEqual(['went']);
    await next.stop();
  });

  test('also ends a command that holds the data dir with 70', async () => {
    const { dir } = await createInstance(jobs);
    const { code, stdout, stderr } = await start(dir, ['run', 'quick'], hangs).ended;
    expect({ code, stdout, stderr }).toEqual({ code: 70, stdout: 'done\n', stderr: expect.stringMatching(forced) });
  });

  test('does not keep flwd mcp from ending at the second signal', async () => {
    const { dir } = await createInstance(jobs);
    const said = loading(
      "import { Server } from 'node:net'; Server.prototype.close = () => console.error('now it hangs');",
    );
    const { child, ended, prints } = start(dir, ['mcp'], said);
    const again = () => child.kill('SIGTERM');
    // The standard input is empty, so `flwd mcp` begins to stop at once.
    await prints(/now it hangs/);
    // With a shorter interval, a signal could arrive while the process ends, and would become the reason of its end.
    await expect.poll(again, { interval: 2_000 }).toBe(false);
    expect((await ended).code).toBe(130);
  });
});

test('a server ends with 0 although one of its threads is blocked', async () => {
  const instance = await createInstance(jobs);
  const pipe = join(instance.dir, 'pipe');
  execFileSync('mkfifo', [pipe]);
  const code = `import { open } from 'node:fs'; open(${JSON.stringify(pipe)}, 'r', () => undefined);`;
  const { child, ended } = await serve(instance, loading(code));
  child.kill('SIGTERM');
  expect(await ended).toMatchObject({ code: 0, stderr: expect.stringMatching(/ stopped$/m) });
});

testWith('python3')(
  'after the server has ended, the pipe of its output is in blocking mode again for the programs that share it',
  async () => {
    const { dir } = await createInstance({});
    const script = `
    "$0" "$1" serve & server=$!
    read -r _ && kill "$server" && wait "$server"
    python3 -c 'import fcntl, os; print([fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_NONBLOCK for fd in (1, 2)])'`;
    const child = spawn('bash', ['-c', script, process.execPath, bin], { cwd: dir });
    onTestFinished(() => void child.kill('SIGKILL'));
    let printed = '';
    child.stdout.on('data', (chunk: Buffer) => {
      printed += String(chunk);
      if (printed.includes('listening on')) child.stdin.end('\n');
    });
    await once(child, 'close');
    expect(printed).toMatch(/^\[0, 0\]$/m);
  },
);
