// API reference, Base URL.

import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect } from 'vitest';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { flwdCommand, startServer } from '../support/server.ts';
import { shows } from './shows.ts';

const test = testWith('bwrap');

const server = await startServer({ jobs: { 'backup/daily': bash('true'), slow: bash('sleep 60') } });
afterAll(() => server.close());

const askOnceItListens = `
  const { spawn } = require('node:child_process');
  const server = spawn(process.argv[1], process.argv.slice(2), { stdio: ['ignore', 'pipe', 'inherit'] });
  // The server listens before it has read its jobs.
  const ask = async () => {
    const response = await fetch('http://localhost:8080/api/v1/jobs');
    return response.status === 503 ? ask() : console.log(response.status, await response.text());
  };
  server.stdout.once('data', () => ask().finally(() => server.kill()));`;

test('a server without configuration listens at localhost:8080', async () => {
  shows('base.address');
  const folder = await mkdtemp(join(tmpdir(), 'flwd-default-'));
  await mkdir(join(folder, 'jobs'));
  // Runs in a network namespace of its own, where the port is always free.
  const alone = [
    '--dev-bind',
    '/',
    '/',
    '--unshare-net',
    '--die-with-parent',
    process.execPath,
    '-e',
    askOnceItListens,
  ];
  const words = [...alone, ...flwdCommand(), 'serve', '--data-dir', join(folder, 'data')];
  const { stdout, stderr } = spawnSync('bwrap', words, {
    cwd: folder,
    env: { PATH: process.env.PATH, HOME: folder, XDG_CACHE_HOME: process.env.XDG_CACHE_HOME },
    encoding: 'utf8',
    timeout: 120_000,
  });
  await rm(folder, { recursive: true });
  expect(stdout, stderr).toMatch(/^200 \{"jobs":\[\]/);
});

test('every answer is JSON, except streams and files', async () => {
  shows('base.json');
  const created = await server.fetch('/runs', { body: { job_id: 'backup/daily', async: false } });
  const { run_id: runId }: { run_id: string } = JSON.parse(await created.clone().text());
  const running = await server.start('slow');
  const answers = [
    created,
    await server.fetch(`/runs/${running}/cancel`, { method: 'POST' }),
    await server.fetch('/jobs'),
    await server.fetch('/jobs/backup/daily'),
    await server.fetch('/runs'),
    await server.fetch(`/runs/${runId}`),
    await server.fetch(`/runs/${runId}/logs`),
    await server.fetch('/artifacts'),
    await server.fetch('/health'),
    await server.fetch('/system/info'),
  ];
  for (const response of answers) {
    expect(response.headers.get('content-type'), response.url).toMatch(/^application\/json\b/);
    expect(JSON.parse(await response.text()), response.url).toBeTypeOf('object');
  }
});
