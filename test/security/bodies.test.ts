// Attacks with the bodies of requests to `/mcp`: too large, from other sites, without rights, or with more than one
// message.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { beginSession, list, post } from '../mcp/a-wire.ts';
import { type Serving, startServing } from '../server/serving.ts';
import { bash } from '../support/jobs.ts';

let server: Serving;
beforeAll(async () => {
  server = await startServing({ jobs: { hello: bash('echo hello') } });
});
afterAll(() => server.close());

test('flwd checks requests before the MCP library sees them', async () => {
  expect((await post(server.url, list, { authorization: 'Bearer flwd_x' })).status).toBe(401);
  expect((await post(server.url, list, { via: '1.1 proxy' })).status).toBe(401);
  expect((await post(server.url, list, { origin: 'https://evil.example' })).status).toBe(403);
  expect((await post(server.url, { ...list, params: { x: 'x'.repeat(2 ** 17) } })).status).toBe(413);
});

test('a message with a long id is refused', async () => {
  const session = await beginSession(server.url);
  expect((await post(server.url, { ...list, id: 'x'.repeat(200) }, session)).status).toBe(200);
  const refused = await post(server.url, { ...list, id: 'x'.repeat(201) }, session);
  expect([refused.status, await refused.json()]).toMatchObject([400, { id: null, error: { code: -32_600 } }]);
});

test('several messages in one request are refused', async () => {
  const session = await beginSession(server.url);
  const refused = await post(server.url, [list, { ...list, id: 3 }], session);
  expect([refused.status, await refused.json()]).toMatchObject([400, { error: { code: -32_600 } }]);
  expect((await post(server.url, [list])).status).toBe(400);
});
