// The operations on stored secrets, and their schemas. No answer contains the value of a secret.

import { Type } from 'typebox';
import { routes } from './routes.ts';
import { runRequest } from './run-schemas.ts';
import { json, named, nullable, page, queryOf, request, textOrNull, timestamp } from './schema-parts.ts';

const secret = named('Secret', {
  name: Type.String(),
  tenant: Type.String(),
  created_at: timestamp,
  created_by: Type.String(),
  updated_at: timestamp,
  updated_by: Type.String(),
});
const secretList = named('SecretList', {
  secrets: Type.Array(
    Type.Object({
      ...secret.properties,
      used_by: nullable(
        Type.Array(Type.String(), {
          description: 'The jobs whose config.yaml names the secret; null if the caller lacks `jobs:read`',
        }),
      ),
      also_used_by: nullable(
        Type.Array(Type.String(), {
          description:
            'The webhooks that were created at run time, such as `webhook deploy/push`. Callers with `admin` of all tenants also see channels, such as `channel team`, and `telemetry`. Null if the caller lacks `jobs:read`',
        }),
      ),
    }),
  ),
  missing: nullable(
    Type.Array(Type.Object({ name: Type.String(), used_by: Type.Array(Type.String()) }), {
      description:
        'The names of secrets that jobs use but the tenant does not have; null if the caller lacks `jobs:read`',
    }),
  ),
  total: Type.Integer(),
  next_cursor: nullable(Type.String()),
});
const secretRequest = request('SecretRequest', {
  value: Type.String({ description: '4 bytes to 64 KiB of text without NUL' }),
});
const keyRotation = named('KeyRotation', {
  done: Type.Boolean({ description: 'false: some values are not encrypted with the new key yet; call again' }),
  key_id: Type.String({ description: 'The key that encrypts everything from now on' }),
  resealed: Type.Object({ secrets: Type.Integer(), runs: Type.Integer(), steps: Type.Integer() }),
  unopened: Type.Integer({ description: 'How many values no key could decrypt' }),
  advice: textOrNull('What the operator should do next'),
});

const ofTenant = {
  tenant: Type.Optional({
    ...runRequest.properties.tenant,
    description: 'By default, the caller’s own tenant; for a caller with all tenants, the default tenant',
  }),
};

export const secretOperations = {
  listSecrets: {
    ...routes.listSecrets,
    tag: 'Secrets',
    summary: 'List the names of stored secrets and the jobs that use them, never their values',
    scope: 'secrets:write',
    query: queryOf({
      ...ofTenant,
      ...page('How many secrets to return at most; 1000 by default'),
    }),
    answers: [json(200, secretList, 'Secrets, sorted by name')],
    problems: ['validation-error', 'not-ready'],
  },
  putSecret: {
    ...routes.putSecret,
    tag: 'Secrets',
    summary: 'Store a secret, or replace its value',
    scope: 'secrets:write',
    query: queryOf(ofTenant),
    body: secretRequest,
    answers: [json(200, secret, 'The secret has the new value'), json(201, secret, 'Stored')],
    problems: ['validation-error', 'permission-denied', 'not-ready'],
    audit: { action: 'secret.set', object: 'secret' },
  },
  deleteSecret: {
    ...routes.deleteSecret,
    tag: 'Secrets',
    summary: 'Delete a secret; runs that already have it keep their copy',
    scope: 'secrets:write',
    query: queryOf(ofTenant),
    answers: [{ status: 204, description: 'Deleted', content: {} }],
    problems: ['validation-error', 'secret-not-found', 'not-ready'],
    audit: { action: 'secret.delete', object: 'secret' },
  },
  rotateSecrets: {
    ...routes.rotateSecrets,
    tag: 'Secrets',
    summary:
      'Encrypt everything with a new key: each call works for a few seconds; once nothing uses the old key, it is removed',
    scope: 'admin',
    isInstanceWide: true,
    answers: [json(200, keyRotation, 'The progress')],
    problems: ['not-ready'],
    audit: { action: 'secret.rotate', object: 'instance' },
  },
} as const;
