// The server is older than the command, so its answers lack members that the command reads.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { createFolder, start } from './terminal.ts';

const runId = 'run_01HX0000000000000000000000';
const times = {
  created_at: '2026-01-15T10:30:00Z',
  started_at: '2026-01-15T10:30:00Z',
  finished_at: '2026-01-15T10:30:05Z',
};
const run = { run_id: runId, job_id: 'a', status: 'success', ...times, exit_code: 0, steps: [] };
const answers: Readonly<Record<string, unknown>> = {
  '/api/v1/runs': { runs: [run], total: 1 },
  [`/api/v1/runs/${runId}`]: run,
  '/api/v1/jobs': { jobs: [{ id: 'a' }] },
};

async function startOld(health: unknown): Promise<string> {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '', 'http://localhost');
    const answer = pathname === '/api/v1/health' ? health : (answers[pathname] ?? {});
    response.writeHead(answer === null ? 404 : 200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    server.close().closeAllConnections();
  });
  const address = server.address();
  if (typeof address !== 'object' || !address) throw new Error('it listens nowhere');
  return `http://127.0.0.1:${address.port}`;
}

test('if an answer lacks members, a command blames the server’s other version, not a bug in flwd', async () => {
  const url = await startOld({ status: 'healthy', version: '0.0.3', uptime_seconds: 1 });
  const advice = "Use the command of the server's version, or update the server.";
  for (const [words, what] of [
    [['runs'], 'GET /api/v1/runs without `total_exact`'],
    [['runs', runId], 'GET /api/v1/runs/{run_id} without `tenant`'],
    [['jobs'], 'GET /api/v1/jobs without `invalid`'],
    [['schedules'], 'GET /api/v1/schedules without `schedules`'],
  ] as const)
    expect(await start(createFolder(), words, { FLWD_REMOTE: url }).ended).toEqual({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(
        new RegExp(
          `^the server at ${url} answers ${what.replaceAll(/[{}]/g, String.raw`\$&`)}: it is flwd 0\\.0\\.3, this command is flwd \\S+\\. ${advice}\n$`,
        ),
      ),
    });
});

test('a server that does not report a version is still named as the cause', async () => {
  const url = await startOld(null);
  const { stderr } = await start(createFolder(), ['runs'], { FLWD_REMOTE: url }).ended;
  expect(stderr).toContain('without `total_exact`: it does not say its version, this command is flwd ');
});
