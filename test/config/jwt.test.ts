import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createProject } from './project.ts';

const errorsOf = (jwt: string) => createProject({ 'flwd.yaml': `auth: { jwt: { ${jwt} } }` }).errors();
const named = 'issuer: https://id.example.org/, audience: flwd';

test('a key file is enough to accept JWTs with any asymmetric signature', () => {
  const { dir, load } = createProject({ 'flwd.yaml': `auth: { jwt: { ${named}, jwks_file: jwks.json } }` });
  expect(load().config.auth.jwt).toEqual({
    issuer: 'https://id.example.org/',
    audience: 'flwd',
    keys: { file: join(dir, 'jwks.json') },
    tenantClaim: 'tenant',
    scopeClaim: 'scope',
    algorithms: ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
    clockSkewMs: 30_000,
  });
});

test.each(['https://id.example.org/jwks', 'http://localhost:8080/jwks', 'http://127.0.0.1/', 'http://[::1]:1/'])(
  'a key set may be at %s',
  (url) => {
    const { load } = createProject({ 'flwd.yaml': `auth: { jwt: { ${named}, jwks_url: "${url}" } }` });
    expect(load().config.auth.jwt?.keys).toEqual({ url });
  },
);

describe('settings that would accept too many JWTs are refused with their place', () => {
  test.each([
    ['jwks_file: a', '`auth.jwt.issuer` is missing: without it, the server would accept every token'],
    ['jwks_file: a, issuer: me', '`auth.jwt.audience` is missing'],
    ['jwks_url: "https://a.example/", audience: flwd', '`auth.jwt.issuer` is missing'],
    [named, '`auth.jwt.issuer` also needs `auth.jwt.jwks_file` or `auth.jwt.jwks_url`'],
    [`${named}, jwks_file: a, jwks_url: "https://a.example/"`, 'set only one of `auth.jwt.jwks_file` and'],
    [`${named}, jwks_url: "http://id.example.org/jwks"`, '`auth.jwt.jwks_url` must begin with https://'],
    [`${named}, jwks_url: "http://localhost.example.org/"`, 'must begin with https://'],
    [`${named}, jwks_url: "https://u:p@id.example.org/"`, 'must not contain a user or password'],
    [`${named}, jwks_file: a, algorithms: []`, 'must name at least one'],
    [`${named}, jwks_file: a, algorithms: [none]`, 'each one of `RS256`'],
    [`${named}, jwks_file: a, algorithms: [RS256, HS256]`, 'each one of `RS256`'],
    [`${named}, jwks_file: a, clock_skew: 1h`, 'up to 5m'],
  ])('%s', (jwt, message) => {
    const errors = errorsOf(jwt);
    expect(errors.filter((error) => error.includes(message))).toHaveLength(1);
    for (const error of errors) expect(error).toMatch(/^flwd\.yaml:1:\d+: /);
  });
});
