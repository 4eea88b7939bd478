import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import { CompactEncrypt, type CryptoKey, exportJWK, exportSPKI, importJWK } from 'jose';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createKeyFile, createVerifier, stopTheClock } from '../server/a-verifier.ts';
import { audienceName, createSigningKey, issuerName } from '../support/an-issuer.ts';

const rsa = await createSigningKey({ alg: 'RS256', kid: 'rsa' });
const ec = await createSigningKey({ kid: 'ec' });
const stranger = await createSigningKey({ kid: 'ec' });

const now = () => Math.floor(Date.now() / 1000);
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const claims = () => ({
  iss: issuerName,
  aud: audienceName,
  sub: 'ada',
  exp: now() + 600,
  scope: 'admin',
  tenant: '*',
});

const verifyOf = (more = {}) => createVerifier(createKeyFile(rsa, ec), more);

test('each token in the tests below would be valid without its one error', async () => {
  const { verify } = verifyOf();
  expect(await verify(await rsa.sign(claims()))).toMatchObject({ name: 'jwt:ada', tenant: '*' });
  expect(await verify(await ec.sign(claims()))).toMatchObject({ name: 'jwt:ada', tenant: '*' });
});

describe('a token is refused if its signature is', () => {
  test.each(['none', 'None', 'NONE', 'nOnE', ''])('made with the algorithm %j', async (alg) => {
    const { verify } = verifyOf();
    const unsigned = `${encode({ alg, kid: 'rsa' })}.${encode(claims())}.`;
    expect(await verify(unsigned)).toBeUndefined();
    expect(await verify(`${unsigned}AAAA`)).toBeUndefined();
  });

  test('an HMAC with the public key, in any public form of the key', async () => {
    const { verify } = verifyOf();
    const pem = await exportSPKI(await publicKeyOf(rsa.jwk));
    const secrets = [
      pem,
      pem.trim(),
      JSON.stringify(rsa.jwk),
      rsa.jwk.n ?? '',
      Buffer.from(rsa.jwk.n ?? '', 'base64url'),
    ];
    for (const [alg, hash] of [
      ['HS256', 'sha256'],
      ['HS512', 'sha512'],
    ] as const) {
      for (const secret of secrets) {
        const signed = `${encode({ alg, kid: 'rsa', typ: 'JWT' })}.${encode(claims())}`;
        expect(
          await verify(`${signed}.${createHmac(hash, secret).update(signed).digest('base64url')}`),
        ).toBeUndefined();
      }
    }
  });

  test('made with another key of the same id, empty, or copied from another token', async () => {
    const { verify } = verifyOf();
    const [head, body] = (await ec.sign(claims())).split('.');
    const [, , other] = (await ec.sign({ ...claims(), sub: 'bob' })).split('.');
    expect(await verify(await stranger.sign(claims()))).toBeUndefined();
    for (const signature of [
      'AA',
      other,
      Buffer.alloc(64).toString('base64url'),
      Buffer.alloc(64, 255).toString('base64url'),
    ]) {
      expect(await verify(`${head}.${body}.${signature}`)).toBeUndefined();
    }
  });

  test('made with an algorithm that is not configured, or not allowed by the key', async () => {
    expect(await verifyOf({ algorithms: ['ES256'] }).verify(await rsa.sign(claims()))).toBeUndefined();
    const onlyPss = createVerifier(createKeyFile({ ...rsa, jwk: { ...rsa.jwk, alg: 'PS256' } }));
    expect(await onlyPss.verify(await rsa.sign(claims()))).toBeUndefined();
    const forEncryption = createVerifier(createKeyFile({ ...rsa, jwk: { ...rsa.jwk, use: 'enc' } }));
    expect(await forEncryption.verify(await rsa.sign(claims()))).toBeUndefined();
  });
});

test('a key in the token, or at a URL in the token, is ignored', async () => {
  let asked = 0;
  const server = createServer((_request, response) => {
    asked += 1;
    response.end(JSON.stringify({ keys: [stranger.jwk] }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/`;
  const { verify } = verifyOf();
  for (const header of [{ jwk: stranger.jwk }, { jku: url }, { x5u: url }, { jku: url, kid: url }, { x5c: ['MIIB'] }]) {
    expect(await verify(await stranger.sign(claims(), header))).toBeUndefined();
  }
  expect(asked).toBe(0);
});

test.each([
  '../../../../dev/null',
  '/etc/passwd',
  "' or '1'='1",
  'ec\0',
  'EC',
  '',
  '__proto__',
  'constructor',
  'http://127.0.0.1/',
  ['ec'],
  { toString: 'ec' },
  null,
  0,
])('the key id %j names no key', async (kid) => {
  const { verify } = verifyOf();
  const head = encode({ alg: 'ES256', kid });
  const [, body, signature] = (await ec.sign(claims())).split('.');
  expect(await verify(`${head}.${body}.${signature}`)).toBeUndefined();
});

test.each<[string, Record<string, unknown>]>([
  ['another issuer', { iss: 'https://evil.example/' }],
  ['an issuer that begins like it', { iss: `${issuerName}x` }],
  ['no issuer', { iss: undefined }],
  ['another audience', { aud: 'other' }],
  ['an audience in other letters', { aud: 'FLWD' }],
  ['no audience', { aud: undefined }],
  ['an empty list of audiences', { aud: [] }],
  ['no end', { exp: undefined }],
  ['an end that is over, by more than clocks differ', { exp: now() - 31 }],
  ['a beginning that is to come', { nbf: now() + 600 }],
  ['an issue that is to come', { iat: now() + 600 }],
  ['no subject', { sub: undefined }],
  ['an empty subject', { sub: '' }],
  ['a subject of spaces', { sub: '   ' }],
  ['a subject with a line feed', { sub: 'ada\nadmin' }],
  ['a subject with a letter that looks like another', { sub: 'аda' }],
  ['a subject that is too long', { sub: 'a'.repeat(257) }],
  ['an invalid tenant', { tenant: 'Ops' }],
  ['a tenant of a path', { tenant: '../default' }],
  ['an empty tenant', { tenant: '' }],
  ['a list of tenants', { tenant: ['ops'] }],
  ['no tenant, and says so', { tenant: null }],
  ['every tenant, without admin', { tenant: '*', scope: 'runs:write' }],
])('a token with %s is refused', async (_what, wrong) => {
  const { verify } = verifyOf();
  expect(await verify(await ec.sign({ ...claims(), ...wrong }))).toBeUndefined();
});

test.each<[string, Record<string, unknown>]>([
  ['an end in a text', { exp: String(now() + 600) }],
  ['a beginning in a text', { nbf: '0' }],
  ['an issue in a text', { iat: 'now' }],
  ['a subject that is a number', { sub: 7 }],
  ['a subject that is a list', { sub: ['ada'] }],
])('a token with %s is refused', async (_what, wrong) => {
  const { verify } = verifyOf();
  expect(await verify(await signText(JSON.stringify({ ...claims(), ...wrong })))).toBeUndefined();
});

test('the clocks of issuer and server may differ by up to the skew, to the second', async () => {
  stopTheClock();
  const { verify } = verifyOf();
  expect(await verify(await ec.sign({ ...claims(), exp: now() - 25 }))).toBeDefined();
  expect(await verify(await ec.sign({ ...claims(), nbf: now() + 25 }))).toBeDefined();
  expect(await verify(await ec.sign({ ...claims(), iat: now() + 25 }))).toBeDefined();
  const strict = verifyOf({ clockSkewMs: 0 });
  expect(await strict.verify(await ec.sign({ ...claims(), exp: now() - 1 }))).toBeUndefined();
  expect(await strict.verify(await ec.sign({ ...claims(), nbf: now() + 2 }))).toBeUndefined();
});

test.each(['logout+jwt', 'secevent+jwt', 'dpop+jwt', 'JWE', 'jwt; x'])(
  'a token of type %j is refused by the API',
  async (typ) => {
    const { verify } = verifyOf();
    expect(await verify(await ec.sign(claims(), { typ }))).toBeUndefined();
  },
);

test('a token with an unknown critical extension is refused', async () => {
  const { verify } = verifyOf();
  for (const header of [
    { crit: ['exp'], exp: 1 },
    { crit: ['b64'], b64: false },
    { crit: [] },
    { crit: 'x', x: 1 },
    { crit: ['http://x'], 'http://x': true },
  ]) {
    expect(await verify(await signText(JSON.stringify(claims()), header))).toBeUndefined();
  }
});

describe('text that is not a signed token is refused', () => {
  test('if it is a token that was cut off at any point', async () => {
    const { verify } = verifyOf();
    const token = await ec.sign(claims());
    for (let length = 0; length < token.length; length++) expect(await verify(token.slice(0, length))).toBeUndefined();
  });

  test('if it is a token with any one bit changed', async () => {
    const { verify } = verifyOf();
    const token = await ec.sign(claims());
    // The last character is left out, because it has unused bits, which Node's decoder ignores.
    for (let at = 0; at < token.length - 1; at++) {
      const other = String.fromCharCode(token.charCodeAt(at) ^ 1);
      expect(await verify(token.slice(0, at) + other + token.slice(at + 1))).toBeUndefined();
    }
  });

  test('if it is an encrypted token, even with a valid token inside', async () => {
    const { verify } = verifyOf();
    const inner = new TextEncoder().encode(await ec.sign(claims()));
    const key = await publicKeyOf({ ...rsa.jwk, alg: 'RSA-OAEP' });
    const header = { alg: 'RSA-OAEP', enc: 'A128GCM', cty: 'JWT', kid: 'rsa' };
    const nested = await new CompactEncrypt(inner).setProtectedHeader(header).encrypt(key);
    expect(await verify(nested)).toBeUndefined();
  });

  test.each([
    '',
    '.',
    '..',
    'a.b.c',
    'e30.e30.e30',
    `${encode([])}.${encode({})}.AA`,
    `${encode(null)}.${encode(null)}.AA`,
    'a.b.c.d',
    'ä.b.c',
    `${'a'.repeat(200)}.${'b'.repeat(200)}.`,
  ])('if it is %j', async (text) => {
    expect(await verifyOf().verify(text)).toBeUndefined();
  });

  test('and does not keep the server busy if it is huge', async () => {
    const { verify, reasons } = verifyOf();
    const token = await ec.sign({ ...claims(), filling: 'x'.repeat(7_000) });
    expect(token.length).toBeGreaterThan(8_192);
    expect(await verify(token)).toBeUndefined();
    expect(await verify('a.'.repeat(5_000_000))).toBeUndefined();
    expect(reasons).toEqual([]);
  });
});

test('claims that are named like built-in members of objects grant nothing', async () => {
  const { verify } = verifyOf({ scopeClaim: 'constructor', tenantClaim: 'toString' });
  expect(await verify(await ec.sign(claims()))).toMatchObject({ scopes: [], tenant: 'default' });
  const polluting = `${JSON.stringify(claims()).slice(0, -1)},"__proto__":{"scopes":["admin"],"tenant":"*"}}`;
  expect(
    await verifyOf({ scopeClaim: 'none' }).verify(await signText(polluting.replace('"*"', '"ops"'))),
  ).toMatchObject({
    scopes: [],
    tenant: 'ops',
  });
});

test('a key with too few bits is refused', async () => {
  const { generateKeyPairSync, createSign } = await import('node:crypto');
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
  const jwk = { ...(await exportJWK(publicKey)), kid: 'weak' };
  const { verify } = createVerifier(createKeyFile({ ...rsa, jwk }));
  const signed = `${encode({ alg: 'RS256', kid: 'weak' })}.${encode(claims())}`;
  const signature = createSign('sha256').update(signed).sign(privateKey).toString('base64url');
  expect(await verify(`${signed}.${signature}`)).toBeUndefined();
});

/** Signs tokens that SignJWT would refuse. */
async function signText(payload: string, header: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const signed = `${encode({ alg: 'ES256', kid: 'ec', ...header })}.${Buffer.from(payload).toString('base64url')}`;
  const signature = await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, ec.privateKey, Buffer.from(signed));
  return `${signed}.${Buffer.from(signature).toString('base64url')}`;
}

async function publicKeyOf(jwk: Parameters<typeof importJWK>[0]): Promise<CryptoKey> {
  const key = await importJWK(jwk, jwk.alg ?? 'RS256', { extractable: true });
  if (key instanceof Uint8Array) throw new Error('a shared secret');
  return key;
}
