// API reference, Versioning. Also tests the OpenAPI document, which describes what is served.

import { afterAll, expect, test } from 'vitest';
import { bash } from '../support/jobs.ts';
import { startServer } from '../support/server.ts';
import { shows } from './shows.ts';

type OpenApi = {
  openapi: string;
  info: { title: string; version: string };
  paths: Record<string, Record<string, unknown>>;
};

const server = await startServer({ jobs: { 'backup/daily': bash('true') } });
afterAll(() => server.close());

test('the API is below /api/v1, and no other version exists', async () => {
  shows('version.path', 'version.breaking');
  expect((await server.fetch('//api/v1/jobs')).status).toBe(200);
  // /jobs is a page of the console for people, and the API for programs that leave out the version.
  const asPerson = await server.fetch('//jobs', { headers: { accept: 'text/html' } });
  expect(asPerson.headers.get('content-type')).toMatch(/^text\/html\b/);
  expect(await (await server.fetch('//jobs')).json()).toEqual(await (await server.fetch('/jobs')).json());
  for (const path of ['//artifacts', '//api/jobs', '//api/v2/jobs', '//api/v1jobs', '//API/V1/jobs']) {
    const response = await server.fetch(path);
    expect([path, response.status]).toEqual([path, 404]);
    expect(await response.json()).toMatchObject({
      type: 'https://flowd.org/problems/not-found',
      instance: path.slice(1),
    });
  }
});

test('/api/v1/openapi.json is OpenAPI 3.1 and has every operation of the reference', async () => {
  const response = await server.fetch('/openapi.json');
  expect(response.headers.get('content-type')).toMatch(/^application\/json\b/);
  const document: OpenApi = JSON.parse(await response.text());
  expect(document.openapi).toMatch(/^3\.1\./);
  expect(document.info).toMatchObject({ title: 'flwd', version: expect.any(String) });
  const served = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replace(/^\/api\/v1/, '')}`),
  );
  expect(served.toSorted()).toEqual([
    'DELETE /kv/{namespace}/{key}',
    'DELETE /schedules/{schedule_id}',
    'DELETE /secrets/{name}',
    'DELETE /tokens/{token_id}',
    'DELETE /webhooks/{webhook_id}',
    'GET /approvals',
    'GET /artifacts',
    'GET /artifacts/{artifact_id}',
    'GET /audit',
    'GET /audit/verify',
    'GET /backfills',
    'GET /backfills/{backfill_id}',
    'GET /channels',
    'GET /events/runs',
    'GET /failures',
    'GET /health',
    'GET /health/storage',
    'GET /job-file/{job_id}',
    'GET /job-files/{job_id}',
    'GET /jobs',
    'GET /jobs/{job_id}',
    'GET /kv',
    'GET /kv/{namespace}',
    'GET /kv/{namespace}/{key}',
    'GET /late',
    'GET /logs',
    'GET /runs',
    'GET /runs/{run_id}',
    'GET /runs/{run_id}/attempts',
    'GET /runs/{run_id}/children',
    'GET /runs/{run_id}/events',
    'GET /runs/{run_id}/events.ndjson',
    'GET /runs/{run_id}/logs',
    'GET /runs/{run_id}/notices',
    'GET /schedules',
    'GET /schedules/fires',
    'GET /schedules/{schedule_id}',
    'GET /secrets',
    'GET /sources',
    'GET /sources/{name}',
    'GET /stats',
    'GET /stats/jobs',
    'GET /stats/times',
    'GET /system/info',
    'GET /tokens',
    'GET /triggers',
    'GET /triggers/{trigger_id}/results',
    'GET /webhooks',
    'GET /webhooks/{webhook_id}',
    'GET /webhooks/{webhook_id}/deliveries',
    'GET /workers',
    'POST /backfills/{backfill_id}/cancel',
    'POST /channels/{name}/test',
    'POST /hooks/{job_id}/{name}',
    'POST /hooks/{token}',
    'POST /plans',
    'POST /runs',
    'POST /runs/{run_id}/approvals',
    'POST /runs/{run_id}/cancel',
    'POST /runs/{run_id}/rerun',
    'POST /schedules',
    'POST /schedules/pause',
    'POST /schedules/preview',
    'POST /schedules/resume',
    'POST /schedules/{schedule_id}/backfills',
    'POST /schedules/{schedule_id}/backfills/preview',
    'POST /schedules/{schedule_id}/hold',
    'POST /schedules/{schedule_id}/release',
    'POST /schedules/{schedule_id}/run',
    'POST /secrets/rotate',
    'POST /sources/{name}/sync',
    'POST /system/gc',
    'POST /tokens',
    'POST /webhooks',
    'POST /webhooks/{webhook_id}/deliveries/{delivery_id}/replay',
    'POST /webhooks/{webhook_id}/test',
    'PUT /kv/{namespace}/{key}',
    'PUT /schedules/{schedule_id}',
    'PUT /secrets/{name}',
  ]);
});

test('/docs shows the OpenAPI document', async () => {
  const response = await server.fetch('//docs');
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toMatch(/^text\/html\b/);
  expect(await response.text()).toContain('/api/v1/openapi.json');
});
