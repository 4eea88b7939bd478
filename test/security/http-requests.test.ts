// Requests that no proper client sends, over raw sockets: framing that a proxy and the server could read differently,
// hosts and paths that lead elsewhere, and strings that could become headers.

import { afterAll, describe, expect, test } from 'vitest';
import { startServing } from '../server/serving.ts';
import { expectWithin, msOf } from '../support/goes.ts';
import { bash } from '../support/jobs.ts';
import { type RawAnswer, sendRaw } from '../support/raw-http.ts';
import { pathTexts } from './hostile-values.ts';

const logged: string[] = [];
const server = await startServing({
  jobs: { demo: bash('true'), 'team/one': bash('true') },
  onLog: (line) => logged.push(JSON.stringify(line)),
});
afterAll(() => server.close());
const run = await server.addRun();
const token = await server.token({ scopes: ['admin'] });

const host = 'Host: localhost';
const closing = `${host}\r\nConnection: close`;
const send = (...lines: readonly string[]): Promise<RawAnswer> => sendRaw(server.url, lines.join('\r\n'));
const get = (target: string, ...headers: readonly string[]): Promise<RawAnswer> =>
  send(`GET ${target} HTTP/1.1`, closing, ...headers, '', '');
const post = (target: string, body: string, ...headers: readonly string[]): Promise<RawAnswer> => {
  const length = `Content-Length: ${Buffer.byteLength(body)}`;
  return send(`POST ${target} HTTP/1.1`, closing, 'Content-Type: application/json', length, ...headers, '', body);
};
const slugOf = ({ body }: RawAnswer): string => {
  const problem: { type: string } = JSON.parse(body);
  return problem.type.replace('https://flowd.org/problems/', '');
};
/** Returns how many requests the server recognized in the bytes that were sent. */
const answersIn = ({ head, body }: RawAnswer): number => (head + body).match(/^HTTP\/1\.1 \d/gm)?.length ?? 0;

describe('framing that two programs could read differently is not ambiguous to the server', () => {
  const smuggled = `GET /api/v1/jobs HTTP/1.1\r\n${host}\r\n\r\n`;
  const json = 'Content-Type: application/json';
  test.each([
    ['a length and chunks', `Content-Length: ${smuggled.length + 5}`, 'Transfer-Encoding: chunked'],
    ['chunks and a length', 'Transfer-Encoding: chunked', `Content-Length: ${smuggled.length + 5}`],
    ['two lengths', 'Content-Length: 5', `Content-Length: ${smuggled.length + 5}`],
    ['the same length twice', 'Content-Length: 5', 'Content-Length: 5'],
    ['a list of lengths', 'Content-Length: 5, 5'],
    ['a signed length', 'Content-Length: +5'],
    ['a length in hex', 'Content-Length: 0x5'],
    ['a length beyond any', 'Content-Length: 99999999999999999999999'],
    ['a negative length', 'Content-Length: -1'],
    ['a space before the colon', 'Transfer-Encoding : chunked'],
    ['a coding in front of chunked, unknown', 'Transfer-Encoding: x, chunked, x'],
    ['a coding with a trick', 'Transfer-Encoding: \x0bchunked'],
    ['two codings', 'Transfer-Encoding: chunked', 'Transfer-Encoding: identity'],
    ['a folded header', 'Transfer-Encoding:', ' chunked'],
    ['a bare line feed', 'X: a\nTransfer-Encoding: chunked'],
    ['a bare carriage return', 'X: a\rTransfer-Encoding: chunked'],
    ['a NUL', 'X: a\0b'],
    ['a header without a name', ': x'],
    ['a header without a colon', 'Transfer-Encoding'],
  ])('a request with %s is refused, and nothing after it is read as a request', async (_what, ...headers) => {
    const answer = await send('POST /api/v1/runs HTTP/1.1', host, json, ...headers, '', '0', '', smuggled);
    expect(answer.status).toBe(400);
    expect(slugOf(answer)).toBe('malformed-request');
    expect(answersIn(answer)).toBe(1);
  });

  test.each([
    ['chunk extensions that never end', `5;${'x'.repeat(40_000)}\r\nhello\r\n0\r\n\r\n`],
    ['a chunk longer than it says', '5\r\nhello!!\r\n0\r\n\r\n'],
    ['a size beyond any', 'fffffffffffffffff\r\nx\r\n0\r\n\r\n'],
    ['a size with a sign', '-5\r\nhello\r\n0\r\n\r\n'],
  ])('a request with %s is refused', async (_what, chunks) => {
    const answer = await send('POST /api/v1/runs HTTP/1.1', host, json, 'Transfer-Encoding: chunked', '', chunks);
    expect([400, 413]).toContain(answer.status);
    expect(answersIn(answer)).toBe(1);
  });

  test('data after a refused body is not read as a request', async () => {
    const answer = await post('/api/v1/nowhere', smuggled);
    expect(answer.status).toBe(404);
    expect(answersIn(answer)).toBe(1);
  });
});

describe('the target, host and headers of a request', () => {
  test.each([
    ['another host, in absolute form', 'http://evil.example/api/v1/jobs'],
    ['no path', '*'],
    ['an authority', 'evil.example:80'],
  ])('%s does not bypass the checks', async (_what, target) => {
    const { status } = await get(target);
    expect([400, 403, 404]).toContain(status);
  });

  test('a target in absolute form is handled by its path', async () => {
    expect((await get('http://localhost/api/v1/jobs')).status).toBe(200);
  });

  test.each([
    ['evil.example'],
    ['localhost.evil.example'],
    ['localhost@evil.example'],
    ['evil.example@localhost'],
    ['localhost/../evil'],
    ['localhost#evil.example'],
    ['localhost?evil.example'],
    ['localhost:80:80'],
    ['localhost:99999999'],
    ['localhost:8080x'],
    ['localhost '.concat('evil.example')],
    ['localhost,evil.example'],
    ['[::1%25lo]'],
    ['[::ffff:127.0.0.1]'],
    ['::1'],
    ['127.1'],
    ['0'],
    ['2130706433'],
    ['0x7f.1'],
    ['127.0.0.1.'],
    ['localhost.'],
    ['xn--lcalhost-q8a'],
  ])('the host %j does not count as a local name', async (name) => {
    const answer = await send('GET /api/v1/jobs HTTP/1.1', `Host: ${name}`, 'Connection: close', '', '');
    expect(answer.status).toBe(403);
  });

  test.each([
    ['local, then foreign', 'Host: localhost', 'Host: evil.example'],
    ['foreign, then local', 'Host: evil.example', 'Host: localhost'],
    ['the same twice', 'Host: localhost', 'host: localhost'],
  ])('two `Host` headers, %s, are refused', async (_what, ...hosts) => {
    const answer = await send('GET /api/v1/jobs HTTP/1.1', ...hosts, 'Connection: close', '', '');
    expect(answer.status).toBe(400);
    expect(slugOf(answer)).toBe('malformed-request');
  });

  test.each([
    ['two origins', 'Origin: http://localhost', 'Origin: https://evil.example'],
    ['one with a path', 'Origin: http://localhost/evil'],
    ['one with a user', 'Origin: http://localhost@evil.example'],
    ['one of another scheme', 'Origin: chrome-extension://localhost'],
    ['a list', 'Origin: http://localhost, https://evil.example'],
    ['an empty one', 'Origin: '],
    ['one behind 3,000 other headers', ...Array.from({ length: 3_000 }, () => 'a:'), 'Origin: https://evil.example'],
  ])('a page with %s is refused', async (_what, ...headers) => {
    expect((await get('/api/v1/jobs', ...headers)).status).toBe(403);
  });

  test.each([
    ['Authorization: Bearer flwd_x', 401],
    ['X-Forwarded-For: 203.0.113.9', 401],
  ])('the header %s is noticed even after 3,000 other headers', async (header, status) => {
    expect((await get('/api/v1/jobs', ...Array.from({ length: 3_000 }, () => 'a:'), header)).status).toBe(status);
  });

  test.each(['X-HTTP-Method-Override: DELETE', 'X-HTTP-Method: DELETE', 'X-Method-Override: DELETE'])(
    'the header %s has no effect',
    async (header) => {
      expect((await get('/api/v1/jobs', header)).status).toBe(200);
      expect((await post('/api/v1/jobs?_method=GET', '{}', header)).status).toBe(405);
    },
  );

  test.each(['OPTIONS', 'TRACE', 'PATCH', 'PROPFIND', 'QUERY', 'PURGE', 'get', 'GETX', 'CONNECT'])(
    'the method %s changes nothing and is answered with a problem',
    async (method) => {
      const answer = await send(`${method} /api/v1/jobs HTTP/1.1`, closing, 'X-Secret: reflected', '', '');
      expect([400, 405]).toContain(answer.status);
      expect(answer.body).not.toContain('reflected');
      expect(['malformed-request', 'method-not-allowed']).toContain(slugOf(answer));
    },
  );

  test.each(['HTTP/0.9', 'HTTP/2.0', 'HTTP/1.2', 'HTTP/9.9', 'ICY/1.0', ''])(
    'the HTTP version %j is refused',
    async (version) => {
      const answer = await send(`GET /api/v1/jobs ${version}`, closing, '', '');
      expect(answer.status).toBe(400);
      expect(slugOf(answer)).toBe('malformed-request');
    },
  );

  test('a request to upgrade to another protocol is handled as an ordinary request', async () => {
    for (const protocol of ['websocket', 'h2c']) {
      const answer = await send(
        'GET /api/v1/jobs HTTP/1.1',
        host,
        'Connection: Upgrade, close',
        `Upgrade: ${protocol}`,
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
        'Sec-WebSocket-Version: 13',
        '',
        '',
      );
      expect(answer.status).toBe(200);
    }
  });
});

describe('paths', () => {
  const places = ['jobs', 'runs', 'artifacts', 'schedules', 'tokens'];
  test.each(places)('no path below /%s reaches anything outside of it', async (place) => {
    for (const text of pathTexts) {
      for (const target of [
        `/api/v1/${place}/${text}`,
        `/api/v1/${place}/x/${text}`,
        `/api/v1/${place}/${text}/logs`,
      ]) {
        const answer = await get(target);
        // Paths such as `jobs//` are the list, or do not exist.
        expect([target, answer.status]).toEqual([target, expect.toSatisfy((status: number) => status < 500)]);
        expect(answer.head).not.toMatch(/^(?:x-injected|set-cookie)/im);
        expect(answer.body).not.toContain('root:');
        expect(answer.body).not.toContain(server.root);
      }
    }
  });

  test.each([
    '//api/v1/jobs',
    '/api//v1/jobs',
    '/api/v1//jobs',
    '/api/v1/./jobs',
    '/x/../api/v1/jobs',
    '/api/v1/jobs;x',
    '/API/v1/jobs',
    '/api/v1/jobs%00',
    '/api\\v1\\jobs',
  ])('%s is not accepted as another spelling of a path', async (target) => {
    expect((await get(target)).status).toBe(404);
  });

  test('the id of a job is distinguished from one with other case or similar characters', async () => {
    for (const id of [
      'Demo',
      'dem%D0%BE',
      'demo%20',
      'demo%00',
      'team%2F%2Fone',
      'team/../demo',
      '%2e/demo',
      'team%5Cone',
    ]) {
      expect([id, (await get(`/api/v1/jobs/${id}`)).status]).toEqual([id, 404]);
    }
    expect((await get('/api/v1/jobs/team%2Fone')).status).toBe(200);
  });
});

describe('bodies', () => {
  const runs = '/api/v1/runs';
  test.each([
    ['Content-Encoding: gzip', '\x1f\x8b'],
    ['Content-Encoding: deflate', '{"job_id":"x"}'],
    ['Content-Encoding: br', '{"job_id":"x"}'],
  ])('a body with %s is not decompressed', async (header, body) => {
    expect([400, 415]).toContain((await post(runs, body, header)).status);
  });

  test.each([
    'application/json; charset=utf-16',
    'application/json;charset=utf-7',
    'application/json, text/plain',
    'application/jsonp',
    'application/x-json',
    'text/json',
    'text/plain;application/json',
    'text/plain; x="application/json"',
    'multipart/form-data; boundary=application/json',
    '\tapplication/json\x0b',
    '',
  ])('a body of the media type %j is refused, or is read as JSON in UTF-8', async (type) => {
    const body = '{"job_id":"none"}';
    const answer = await send(
      `POST ${runs} HTTP/1.1`,
      closing,
      `Content-Type: ${type}`,
      `Content-Length: ${body.length}`,
      '',
      body,
    );
    expect([400, 404, 415]).toContain(answer.status);
    if (answer.status === 404) expect(slugOf(answer)).toBe('job-not-found');
  });

  test.each([
    ['a byte order mark', '\ufeff{"job_id":"none"}', 404],
    ['a member twice', '{"job_id":"demo","job_id":"none"}', 404],
    ['an integer beyond doubles', '{"job_id":"none","priority":123456789012345678901234567890}', 400],
    ['__proto__', '{"job_id":"none","__proto__":{"args":{}}}', 400],
    ['__proto__ in escapes', '{"job_id":"none","\\u005f_proto__":{"args":{}}}', 400],
    ['constructor.prototype', '{"job_id":"none","args":{"constructor":{"prototype":{"x":1}}}}', 400],
    ['arrays 60 deep', `{"job_id":"none","args":{"a":${'['.repeat(60)}${']'.repeat(60)}}}`, 404],
    ['objects 30,000 deep', `{"job_id":"none","args":${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}}`, 400],
    ['JavaScript', '{"job_id":"none",}', 400],
    ['two values', '{"job_id":"none"}{"job_id":"demo"}', 400],
    ['a text that is no Unicode', '{"job_id":"\\ud800"}', 404],
  ])('%s', async (_what, body, status) => {
    expect((await post(runs, body)).status).toBe(status);
    expect(({} as Record<string, unknown>).args).toBeUndefined();
  });
});

describe('oversized headers', () => {
  const many = (text: string, length = 15_000): string => text.repeat(length / text.length);
  test.each([
    ['Accept', many('a/b;q=0.1,')],
    ['Accept', many('*/*,')],
    ['Accept', `text/event-stream;q=${many('9')}`],
    ['If-None-Match', many('"x",')],
    ['If-None-Match', many('W/')],
    ['If-None-Match', many(' ')],
    ['Range', `bytes=${many('0-1,')}`],
    ['Range', `bytes=${many('1')}-`],
    ['Cookie', many('a=b;')],
    ['X-Request-Id', many('x')],
    ['Idempotency-Key', many('x')],
    ['Last-Event-ID', many('9')],
  ])('%s is read quickly', async (name, value) => {
    for (const path of ['/api/v1/jobs', `/api/v1/runs/${run.id}`, `/api/v1/runs/${run.id}/logs`]) {
      await expectWithin(1_000, () =>
        msOf(async () => expect((await get(path, `${name}: ${value}`)).status).toBeLessThan(500)),
      );
    }
  });

  test.each([
    ['members', `?${'a=1&'.repeat(3_500)}`],
    ['a member many times', `?${'limit=1&'.repeat(1_900)}`],
    ['brackets', `?${'a[b]'.repeat(3_500)}=1`],
    ['percent signs', `?q=${'%25'.repeat(5_000)}`],
    ['nothing', `?${'&'.repeat(15_000)}`],
    ['__proto__', '?__proto__[x]=1&constructor[prototype][x]=1&__proto__=1'],
  ])('a query of %s is read quickly', async (_what, query) => {
    await expectWithin(1_000, () =>
      msOf(async () => expect([200, 400]).toContain((await get(`/api/v1/runs${query}`)).status)),
    );
    expect(({} as Record<string, unknown>).x).toBeUndefined();
  });

  test.each([
    'NaN',
    '-1',
    '1e3',
    '1.5',
    '0x1',
    '99999999999999999999',
    '%00',
    '%0d%0aid:1',
    'x'.repeat(5_000),
    '\u00e9',
  ])('the event id %j is refused as invalid or as expired', async (id) => {
    for (const path of ['/api/v1/events/runs', `/api/v1/runs/${run.id}/logs?follow=true`]) {
      const answer = await get(path, `Last-Event-ID: ${id}`);
      expect([400, 410]).toContain(answer.status);
    }
  });
});

describe('strings that could become headers or log lines', () => {
  test('the name of an artifact cannot break out of its header', async () => {
    const names = [
      'a\r\nX-Injected: 1',
      'a"; filename=evil.html',
      '../../etc/passwd',
      'a\0b',
      '\u202egnp.exe',
      '..',
      'a;b=c',
      '💣'.repeat(80),
    ];
    for (const name of names) {
      const id = await server.addArtifact(run, { name, content: 'x', mediaType: 'text/html\r\nX-Injected: 1' });
      const answer = await get(`/api/v1/artifacts/${id}`);
      expect(answer.status).toBe(200);
      expect(answer.head).not.toMatch(/^x-injected/im);
      const disposition = /^content-disposition: (.*)$/im.exec(answer.head)?.[1] ?? '';
      expect(disposition).toMatch(
        /^attachment; filename="[^"/\\]*"(?:; filename\*=UTF-8''[A-Za-z0-9%!#$&+.^_`|~-]*)?$/,
      );
      expect(answer.head).toMatch(/^content-type: application\/octet-stream$/im);
      expect(answer.head).toMatch(/^content-security-policy: sandbox$/im);
    }
  });

  test.each(['a\tb', 'x\u001b[31m', '{"level":60}', '../../x', 'é', "'"])(
    'the request id %j is neither echoed nor logged',
    async (id) => {
      const answer = await get('/api/v1/jobs', `X-Request-Id: ${id}`);
      if (answer.status !== 400) expect(answer.head).toMatch(/^X-Request-Id: req_[0-9A-Z]{26}$/m);
      expect(logged.filter((line) => line.includes(`"${id}"`))).toEqual([]);
    },
  );

  test('a path is always logged as one string', async () => {
    await post('/api/v1/runs/x%0a%7b%22level%22:60%7d/cancel', '{}');
    // The log line is written after the answer.
    const line = () => logged.findLast((one) => one.includes('%0a%7b'));
    await expect.poll(line).toContain('x%0a%7b%22level%22:60%7d');
  });

  test('a credential appears neither in answers nor in the log', async () => {
    await get('/api/v1/jobs', `Authorization: Bearer ${token.credential}`);
    const answer = await get('/api/v1/nowhere', `Authorization: Bearer ${token.credential}x`);
    expect(answer.head + answer.body).not.toContain(token.credential);
    expect(logged.join('\n')).not.toContain(token.credential);
  });
});
