// `flwd logs RUN` with logs that are longer than one page.

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { expect, onTestFinished, test } from 'vitest';
import type { LogLine } from '../../src/domain/log-line.ts';
import { steps } from '../engine/step-jobs.ts';
import { bash } from '../support/jobs.ts';
import { createInstance } from './an-instance.ts';
import { bin, flwd } from './terminal.ts';

const odd = String.raw`
seq 1200
printf '\ncarriage\rreturn\r\n' ; printf 'not UTF-8: \377\303\n'
printf 'escape \033[31mred\033[0m \033]0;title\007 \177 \302\233\n' ; echo 'quote " backslash \ tab	ü € 😀'
echo '{"level":"warn","msg":"two\nlines","disk":"/dev/sda","9":[{"x":null}]}' ; echo '{"level":"error","message":"no fields"}'
head -c 70000 /dev/zero | tr '\0' x ; echo
for i in {1..900}; do echo "out $i"; echo "err $i" >&2; done
printf 'no end'`;

const jobs = {
  odd: bash(odd),
  again: bash(`${odd}; exit 3`, { retry: { limit: 1, delay: '10ms' } }),
  parts: steps({
    steps: [
      { id: 'first', command: ['seq', '1500'] },
      { id: 'each', needs: ['first'], foreach: '["db1.fra", "db2.fra"]', command: ['seq', '700'] },
    ],
  }),
  long: bash('seq -f "line %.0f of a log that is longer than what lies between a server and a reader" 200000'),
};

test('flwd logs prints every line of a long log exactly as the API’s pages have it, with --follow and without', async () => {
  const { dir, serve } = await createInstance(jobs);
  const server = await serve();
  for (const job of ['odd', 'again', 'parts']) {
    const { run_id: runId } = await server.run(job);
    const { logs } = await server.json<{ logs: LogLine[] }>(`/runs/${runId}/logs?limit=10000`);
    expect(logs.length).toBeGreaterThan(2_800);
    const labels: Record<string, string> = { 'each[0]': 'each[0] (db1.fra)', 'each[1]': 'each[1] (db2.fra)' };
    const print = ({ step_id: step, message, fields }: LogLine): string =>
      `${job === 'parts' ? `${labels[step] ?? step} | ` : ''}${message}${fields ? ` ${JSON.stringify(fields)}` : ''}\n`;
    const text = logs.map(print).join('');
    const stderr = job === 'again' ? '── attempt 2 ──\n' : '';
    expect(await flwd(dir, 'logs', runId)).toEqual({ code: 0, stdout: text, stderr });
    expect(await flwd(dir, 'logs', runId, '--follow')).toEqual({ code: 0, stdout: text, stderr });
    const json = logs.map((line) => `${JSON.stringify(line)}\n`).join('');
    expect((await flwd(dir, 'logs', runId, '--json')).stdout === json).toBe(true);
    const found = logs.filter(({ message }) => message.includes('5'));
    expect((await flwd(dir, 'logs', runId, '--search', '5')).stdout).toBe(found.map(print).join(''));
  }
  await server.stop();
});

test.each(['', '--follow'])('a reader may pause until the server gives up waiting: flwd logs RUN %s', async (word) => {
  const { dir, serve } = await createInstance(jobs, { server: { write_timeout: '1s' } });
  const server = await serve();
  const { run_id: runId } = await server.run('long');
  const reader = inShell(dir, `"$NODE" "$FLWD" logs ${runId} ${word}`);
  // The test reads nothing from the command's output until the server has ended the response.
  const metrics = async (): Promise<string> => (await fetch(`${server.url}/metrics`)).text();
  await expect.poll(metrics).toContain('\nflwd_slow_readers_disconnected_total 1\n');
  const lines = Buffer.concat(await reader.stdout.toArray()).toString();
  expect(lines === Array.from({ length: 200_000 }, (_, n) => `${longLine(n + 1)}\n`).join('')).toBe(true);
  await server.stop();
});

test('a program may stop reading a long log after its first line', async () => {
  const { dir, serve } = await createInstance(jobs);
  const server = await serve();
  const { run_id: runId } = await server.run('long');
  const reader = inShell(
    dir,
    `"$NODE" "$FLWD" logs ${runId} | { IFS= read -r line; echo "$line"; }; echo "\${PIPESTATUS[*]}"`,
  );
  const [stdout, stderr] = await Promise.all([reader.stdout.toArray(), reader.stderr.toArray()]);
  expect({ stdout: stdout.join(''), stderr: stderr.join('') }).toEqual({ stdout: `${longLine(1)}\n0 0\n`, stderr: '' });
  await server.stop();
});

function inShell(cwd: string, words: string): ChildProcessWithoutNullStreams {
  const env = { PATH: process.env.PATH, HOME: cwd, NODE: process.execPath, FLWD: bin };
  const child = spawn('bash', ['-c', words], { cwd, env });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

function longLine(n: number): string {
  return `line ${n} of a log that is longer than what lies between a server and a reader`;
}
