// The operations of stored secrets, a part of the table in operations.ts. None gives a value back.

import { Type } from 'typebox';
import { nullable, timestamp } from './basics.ts';
import { closed, json, page } from './operation-parts.ts';
import { routes } from './routes.ts';
import { runRequest } from './run-schemas.ts';

const secret = Type.Object(
  {
    name: Type.String(),
    tenant: Type.String(),
    created_at: timestamp,
    created_by: Type.String(),
    updated_at: timestamp,
    updated_by: Type.String(),
  },
  { $id: 'Secret' },
);
const secretList = Type.Object(
  { secrets: Type.Array(secret), total: Type.Integer(), next_cursor: nullable(Type.String()) },
  { $id: 'SecretList' },
);
const secretRequest = Type.Object(
  { value: Type.String({ description: '4 bytes to 64 KiB, without NUL' }) },
  { $id: 'SecretRequest', ...closed },
);
const keyRotation = Type.Object(
  {
    done: Type.Boolean({ description: 'False where there is more: ask again' }),
    key_id: Type.String({ description: 'The key that seals from now on' }),
    resealed: Type.Object({ secrets: Type.Integer(), runs: Type.Integer(), steps: Type.Integer() }),
    unopened: Type.Integer({ description: 'Sealed texts that their key does not open' }),
    advice: nullable(Type.String({ description: 'What is left to do for whoever keeps the keys' })),
  },
  { $id: 'KeyRotation' },
);

const ofTenant = {
  tenant: Type.Optional({
    ...runRequest.properties.tenant,
    description: 'The caller’s own, or the default one, without it',
  }),
};

export const secretOperations = {
  listSecrets: {
    ...routes.listSecrets,
    tag: 'Secrets',
    summary: 'List the secrets that are stored: names, never values',
    scope: 'secrets:write',
    query: Type.Object(
      {
        ...ofTenant,
        ...page('Rows at most; 1000 without it'),
      },
      closed,
    ),
    answers: [json(200, secretList, 'Secrets by name')],
    problems: ['validation-error'],
  },
  putSecret: {
    ...routes.putSecret,
    tag: 'Secrets',
    summary: 'Store a secret, or give it a new value',
    scope: 'secrets:write',
    query: Type.Object(ofTenant, closed),
    body: secretRequest,
    answers: [json(200, secret, 'It has the new value'), json(201, secret, 'Stored')],
    problems: ['validation-error', 'permission-denied', 'not-ready'],
    audit: { action: 'secret.set', object: 'secret' },
  },
  deleteSecret: {
    ...routes.deleteSecret,
    tag: 'Secrets',
    summary: 'Remove a secret; runs that were given it keep their own copy',
    scope: 'secrets:write',
    query: Type.Object(ofTenant, closed),
    answers: [{ status: 204, description: 'Removed', content: {} }],
    problems: ['validation-error', 'secret-not-found', 'not-ready'],
    audit: { action: 'secret.delete', object: 'secret' },
  },
  rotateSecrets: {
    ...routes.rotateSecrets,
    tag: 'Secrets',
    summary: 'Seal everything with a new key, some seconds long; the old key goes once nothing needs it',
    scope: 'admin',
    isInstanceWide: true,
    answers: [json(200, keyRotation, 'How far it is')],
    problems: ['not-ready'],
    audit: { action: 'secret.rotate', object: 'instance' },
  },
} as const;
