// Every operation needs a scope or is listed as public. The server has no routes but the operations and a few fixed
// paths.

import { subscribe } from 'node:diagnostics_channel';
import type { FastifyInstance } from 'fastify';
import { afterAll, describe, expect, test } from 'vitest';
import { type Operation, operations } from '../../src/contract/operations.ts';
import { apiBase } from '../../src/contract/routes.ts';
import { scopes } from '../../src/domain/principal.ts';
import { startServing } from './serving.ts';

const routes: { readonly line: string; readonly isGuarded: boolean }[] = [];
subscribe('fastify.initialization', (message) => {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Fastify's own message
  const { fastify } = message as { fastify: FastifyInstance };
  fastify.addHook('onRoute', ({ method, url, onRequest }) => {
    routes.push({ line: `${[method].flat().join()} ${url}`, isGuarded: onRequest !== undefined });
  });
});

const server = await startServing();
afterAll(() => server.close());

const all = Object.entries<Operation>(operations);
const guarded = all.filter(([, { scope }]) => scope !== 'public');

async function ask(operation: Operation, headers: Readonly<Record<string, string>>) {
  const path = operation.path.replaceAll(/\{\w+\}/g, 'x');
  const stop = new AbortController();
  const response = await server.fetch(path, {
    method: operation.method,
    headers: { ...headers, ...(operation.body && { 'content-type': 'application/json' }) },
    ...(operation.body && { body: '{}' }),
    signal: stop.signal,
  });
  const isProblem = response.headers.get('content-type') === 'application/problem+json';
  const detail = isProblem ? String(Reflect.get(Object(await response.json()), 'detail')) : '';
  stop.abort();
  return { status: response.status, detail };
}

test('every operation has a known scope, or is listed here as public', () => {
  for (const [id, { scope }] of all) expect([id, [...scopes, 'public']]).toEqual([id, expect.arrayContaining([scope])]);
  expect(all.filter(([, { scope }]) => scope === 'public').map(([id]) => id)).toEqual(['getHealth']);
});

test('the only routes are the operations and a few fixed paths, and each of them checks the caller', () => {
  const ofTable = all.map(([, { method, path }]) => {
    const url = path.replace(/\{(?:job_id|key)\}/, '*').replaceAll(/\{(\w+)\}/g, ':$1');
    return `${method} ${apiBase}${url}`;
  });
  const pages = [
    '/',
    '/runs',
    '/runs/*',
    '/compare',
    '/jobs',
    '/jobs/*',
    '/schedules',
    '/approvals',
    '/failures',
    '/logs',
  ];
  const ofConsole = [...pages, '/admin', '/admin/*', '/assets/*'];
  const fixed = [...ofConsole, '/docs', '/healthz', '/readyz', '/metrics', `${apiBase}/openapi.json`].map(
    (path) => `GET ${path}`,
  );
  const hookPaths = ['/hooks/*', `${apiBase}/hooks/*`];
  const hooks = hookPaths.flatMap((path) => [`POST ${path}`, `GET,HEAD,PUT,PATCH,DELETE,OPTIONS ${path}`]);
  const wanted = [...ofTable, ...fixed, ...hooks];
  const heads = wanted.flatMap((line) => (line.startsWith('GET ') ? [line.replace('GET', 'HEAD')] : []));
  const mcp = ['GET,POST,DELETE /mcp', 'HEAD /mcp'];
  expect(routes.map(({ line }) => line).toSorted()).toEqual([...wanted, ...heads, ...mcp].toSorted());
  expect(routes.filter(({ isGuarded }) => !isGuarded)).toEqual([]);
});

describe('with a token', () => {
  test.each(guarded)('%s is allowed with its scope', async (_id, operation) => {
    const scope = scopes.find((one) => one === operation.scope) ?? 'admin';
    const { headers } = await server.token({ scopes: [scope], tenant: '*' });
    expect([401, 403]).not.toContain((await ask(operation, headers)).status);
  });

  test.each(guarded)('%s is refused with all other scopes combined', async (_id, operation) => {
    const enough: readonly string[] = ['admin', operation.scope, operation.scope.replace(/:read$/, ':write')];
    const { headers } = await server.token({ scopes: scopes.filter((one) => !enough.includes(one)), tenant: '*' });
    expect(await ask(operation, headers)).toEqual({
      status: 403,
      detail: `The caller lacks the scope '${operation.scope}'.`,
    });
  });
});

test('a caller without a token can use only what is public', async () => {
  for (const [id, operation] of all) {
    const { status } = await ask(operation, { via: '1.1 proxy' });
    expect([id, status]).toEqual([id, operation.scope === 'public' ? 200 : 401]);
  }
});
