import { afterAll, expect, test } from 'vitest';
import { keepAnswers } from '../../src/client/answer-shape.ts';
import { createClient } from '../../src/client/client.ts';
import { type Operation, operations } from '../../src/contract/operations.ts';
import { startServing } from '../server/serving.ts';
import { bash } from '../support/jobs.ts';

const server = await startServing({ jobs: { 'backup/daily': bash('true') } });
afterAll(() => server.close());

test('the server’s answers have every member that this version of the client expects', async () => {
  const run = await server.addRun();
  const { client, versionMismatch } = keepAnswers(createClient({ baseUrl: server.url }));
  const plain = Object.entries<Operation>(operations).filter(
    ([, { method, path, answers }]) =>
      method === 'GET' &&
      !path.includes('{') &&
      answers.every(({ content }) => Object.keys(content).join() === 'application/json'),
  );
  expect(plain.length).toBeGreaterThan(10);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the names of the table
  for (const [id] of plain) await client.call(id as 'listRuns').catch(() => undefined);
  await client.call('getRun', { path: { run_id: run.id } });
  await client.call('getJob', { path: { job_id: 'backup/daily' } });
  expect(await versionMismatch('the server', '1.0.0')).toBeNull();
});
