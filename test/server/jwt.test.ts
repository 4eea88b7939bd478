import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createSigningKey, keySetOf } from '../support/an-issuer.ts';
import { createKeyFile, createVerifier, stopTheClock } from './a-verifier.ts';

const key = await createSigningKey({ kid: '2026-01' });
const next = await createSigningKey({ kid: '2026-02' });

describe('the principal of a token', () => {
  test.each(['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'])(
    'is accepted if the token is signed with %s',
    async (alg) => {
      const signer = await createSigningKey({ alg, kid: 'k' });
      const { verify } = createVerifier(createKeyFile(signer));
      expect(await verify(await signer.sign())).toEqual({
        kind: 'jwt',
        name: 'jwt:ada',
        scopes: ['runs:read'],
        tenant: 'default',
      });
    },
  );

  test('can be that of an access token or of a token with several audiences', async () => {
    const { verify } = createVerifier(createKeyFile(key));
    expect(await verify(await key.sign({}, { typ: 'at+jwt' }))).toMatchObject({ name: 'jwt:ada' });
    expect(await verify(await key.sign({ aud: ['other', 'flwd'] }, { typ: 'JWT' }))).toMatchObject({ name: 'jwt:ada' });
  });

  test.each<[Record<string, unknown>, readonly string[]]>([
    [{ scope: 'runs:read jobs:read openid profile' }, ['jobs:read', 'runs:read']],
    [{ scope: ['admin', 'Admin', 7, null, '__proto__'] }, ['admin']],
    [{ scope: 'runs:readjobs:read RUNS:READ' }, []],
    [{ scope: { admin: true } }, []],
    [{ scope: undefined }, []],
  ])('with the claims %j has the scopes %j', async (claims, scopes) => {
    const { verify } = createVerifier(createKeyFile(key));
    expect(await verify(await key.sign(claims))).toMatchObject({ scopes });
  });

  test('has the scopes and the tenant of the configured claims', async () => {
    const claims = { scopeClaim: 'https://flwd.example/roles', tenantClaim: 'org' };
    const { verify } = createVerifier(createKeyFile(key), claims);
    const token = await key.sign({ 'https://flwd.example/roles': ['runs:write'], org: 'ops', tenant: 'other' });
    expect(await verify(token)).toMatchObject({ scopes: ['runs:write'], tenant: 'ops' });
  });

  test('can have the tenant `*` only with the scope admin', async () => {
    const { verify } = createVerifier(createKeyFile(key));
    expect(await verify(await key.sign({ tenant: '*', scope: 'admin' }))).toMatchObject({ tenant: '*' });
    expect(await verify(await key.sign({ tenant: '*', scope: 'runs:write audit:read' }))).toBeUndefined();
  });
});

test('a token without `kid` is accepted if any suitable key fits', async () => {
  const unnamed = [await createSigningKey(), await createSigningKey(), await createSigningKey({ alg: 'RS256' })];
  const { verify } = createVerifier(createKeyFile(...unnamed));
  for (const signer of unnamed) expect(await verify(await signer.sign())).toMatchObject({ name: 'jwt:ada' });
  expect(await verify(await (await createSigningKey()).sign())).toBeUndefined();
});

test('a token is valid until it expires, however often it was used before', async () => {
  const { verify, goAhead } = createVerifier(createKeyFile(key));
  const token = await key.sign({ exp: Math.floor(Date.now() / 1000) + 20 });
  const principal = await verify(token);
  expect(principal).toBeDefined();
  expect(await verify(token)).toBe(principal);
  goAhead(51_000);
  expect(await verify(token)).toBeUndefined();
});

describe('keys from a file', () => {
  test.each([
    ['that is not there', undefined, 'is not there'],
    ['that is cut off', '{"keys": [', 'is not JSON'],
    ['that is something else', '[]', 'is not a JSON Web Key Set'],
    ['that is huge', `{"keys": []}${' '.repeat(1_048_577)}`, 'is larger than 1 MiB'],
    ['with a shared secret', '{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}', 'a private or a shared key'],
    [
      'with a private key',
      '{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "a", "d": "b"}]}',
      'a private or a shared key',
    ],
  ])('a file %s prevents the start, with the reason', (_what, text, reason) => {
    const { file, write } = createKeyFile();
    if (text === undefined) rmSync(file);
    else write(text);
    expect(() => createVerifier({ file })).toThrow(reason);
    expect(() => createVerifier({ file })).toThrow('`auth.jwt.jwks_file`');
  });

  test('apply at once to tokens of a new key, and within a second to tokens of an old key', async () => {
    const { file } = createKeyFile(key);
    const { verify, goAhead } = createVerifier({ file });
    expect(await verify(await next.sign())).toBeUndefined();

    writeFileSync(`${file}.new`, keySetOf(next));
    renameSync(`${file}.new`, file);

    expect(await verify(await next.sign())).toMatchObject({ name: 'jwt:ada' });
    expect(await verify(await key.sign())).toBeUndefined();

    writeFileSync(file, keySetOf(key));
    goAhead(1_000);
    expect(await verify(await next.sign({ sub: 'bob' }))).toBeUndefined();
  });

  test('can be replaced by new keys with the same name', async () => {
    const { file, write } = createKeyFile(await createSigningKey({ kid: '2026-01' }));
    const { verify } = createVerifier({ file });
    expect(await verify(await key.sign())).toBeUndefined();
    write(keySetOf(key));
    expect(await verify(await key.sign())).toMatchObject({ name: 'jwt:ada' });
  });

  test('stay valid after the file is broken or removed, with one warning each', async () => {
    const { file, write } = createKeyFile(key);
    const { verify, goAhead, warnings } = createVerifier({ file });
    for (const breakIt of [() => write('{"keys'), () => rmSync(file)]) {
      breakIt();
      for (let i = 0; i < 3; i++) {
        goAhead(1_000);
        expect(await verify(await key.sign({ jti: String(i) }))).toMatchObject({ name: 'jwt:ada' });
        expect(await verify(await next.sign())).toBeUndefined();
      }
    }
    expect(warnings).toEqual([expect.stringContaining('is not JSON'), expect.stringContaining('is not there')]);
    write(keySetOf(next));
    expect(await verify(await next.sign())).toMatchObject({ name: 'jwt:ada' });
  });
});

test('cause a warning if the file is broken, even when a cached token is used', async () => {
  stopTheClock();
  const { file, write } = createKeyFile(key);
  const { verify, goAhead, warnings } = createVerifier({ file });
  const token = await key.sign();
  expect(await verify(token)).toMatchObject({ name: 'jwt:ada' });
  write('{"keys');
  expect(await verify(token)).toMatchObject({ name: 'jwt:ada' });
  expect(warnings).toEqual([]);
  goAhead(1_000);
  expect(await verify(token)).toMatchObject({ name: 'jwt:ada' });
  expect(warnings).toEqual([expect.stringContaining('is not JSON')]);
});

describe('keys from a URL', () => {
  test('are fetched, and fetched again for a token of an unknown key, but at most once every ten seconds', async () => {
    const issuer = await serveKeys((response) => response.end(keySetOf(key)));
    const { verify, goAhead } = createVerifier({ url: issuer.url });
    expect(await verify(await key.sign())).toMatchObject({ name: 'jwt:ada' });
    expect(issuer.asked()).toBe(1);

    issuer.answer((response) => response.end(keySetOf(key, next)));
    for (let i = 0; i < 5; i++) expect(await verify(await next.sign())).toBeUndefined();
    expect(issuer.asked()).toBe(1);

    goAhead(10_000);
    const together = await Promise.all(
      Array.from({ length: 5 }, async (_, i) => verify(await next.sign({ sub: `s${i}` }))),
    );
    expect(together.every((principal) => principal !== undefined)).toBe(true);
    expect(issuer.asked()).toBe(2);
  });

  test('stay valid for at most five minutes after they are withdrawn', async () => {
    const issuer = await serveKeys((response) => response.end(keySetOf(key, next)));
    const { verify, goAhead } = createVerifier({ url: issuer.url });
    expect(await verify(await key.sign())).toBeDefined();
    issuer.answer((response) => response.end(keySetOf(next)));
    goAhead(300_000);
    const exp = Math.floor(Date.now() / 1000) + 3_600;
    expect(await verify(await key.sign({ exp, sub: 'bob' }))).toBeUndefined();
    expect(await verify(await next.sign({ exp }))).toBeDefined();
  });

  test.each<[string, (response: ServerResponse) => void, string]>([
    ['is down', (response) => response.destroy(), ''],
    ['answers an error', (response) => response.writeHead(500).end(), 'status 500'],
    ['leads elsewhere', leadElsewhere, ''],
    ['answers a page', (response) => response.end('<html>'), 'is not JSON'],
    ['answers something else', (response) => response.end('{}'), 'not a JSON Web Key Set'],
    ['answers without end', (response) => void response.write('x'.repeat(1_100_000)), 'larger than 1 MiB'],
  ])('stay valid while the URL %s, with one warning', async (_what, fail, reason) => {
    const issuer = await serveKeys((response) => response.end(keySetOf(key)));
    const { verify, goAhead, warnings } = createVerifier({ url: issuer.url });
    expect(await verify(await key.sign())).toBeDefined();
    issuer.answer(fail);
    const exp = Math.floor(Date.now() / 1000) + 3_600;
    for (let i = 0; i < 3; i++) {
      goAhead(300_000);
      expect(await verify(await key.sign({ exp, sub: `s${i}` }))).toBeDefined();
    }
    expect(issuer.asked()).toBe(4);
    expect(warnings).toEqual([expect.stringContaining('the earlier ones stay valid')]);
    expect(warnings[0]).toContain(reason);
  });

  test('that could not be fetched at the start let nobody in until they have been fetched', async () => {
    const issuer = await serveKeys((response) => response.writeHead(503).end());
    const { verify, goAhead, warnings } = createVerifier({ url: issuer.url });
    // This does not count as a failed login, because the server has no keys.
    for (let i = 0; i < 2; i++) await expect(verify(await key.sign())).rejects.toMatchObject({ slug: 'not-ready' });
    expect(issuer.asked()).toBe(1);
    expect(warnings).toEqual([expect.stringContaining('every JWT is refused until they can be')]);
    issuer.answer((response) => response.end(keySetOf(key)));
    goAhead(10_000);
    expect(await verify(await key.sign())).toMatchObject({ name: 'jwt:ada' });
  });
});

/** Redirects to a path that serves keys. */
function leadElsewhere(response: ServerResponse): void {
  if (response.req.url === '/elsewhere') response.end(keySetOf(next));
  else response.writeHead(302, { location: '/elsewhere' }).end();
}

/** Serves the key set of an issuer on loopback, and counts the requests. */
async function serveKeys(first: (response: ServerResponse) => void) {
  let answer = first;
  let count = 0;
  const server = createServer((_request, response) => {
    count += 1;
    answer(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on a port
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/jwks.json`,
    asked: () => count,
    answer(by: (response: ServerResponse) => void) {
      answer = by;
    },
  };
}
