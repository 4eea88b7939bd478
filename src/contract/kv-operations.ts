// The operations on the key-value store, and their schemas.

import { Type } from 'typebox';
import { kvLimits } from '../domain/kv.ts';
import { routes } from './routes.ts';
import { runRequest } from './run-schemas.ts';
import { cursor, json, limit, named, nullable, queryOf, request, text, timestamp } from './schema-parts.ts';

const summary = {
  tenant: Type.String(),
  namespace: Type.String(),
  key: Type.String(),
  version: Type.Integer({
    description: 'Each change gives the key a new version; no two values ever have the same version',
  }),
  size_bytes: Type.Integer({ description: 'The size of the key and its value together' }),
  updated_at: timestamp,
  updated_by: Type.String({ description: 'The caller, or the run whose script stored the value' }),
  expires_at: nullable(timestamp),
};
const longestValue = 4 * Math.ceil(kvLimits.valueBytes / 3);
const value = { contentEncoding: 'base64' };

const entry = named('KvEntry', { ...summary, value: Type.String({ ...value, description: 'The value in base64' }) });
const keyList = named('KvKeyList', {
  keys: Type.Array(named('KvKey', summary)),
  next_cursor: nullable(Type.String()),
});
const namespaceList = named('KvNamespaceList', {
  namespaces: Type.Array(Type.Object({ namespace: Type.String(), keys: Type.Integer(), size_bytes: Type.Integer() })),
  next_cursor: nullable(Type.String()),
});
const putRequest = request('KvPutRequest', {
  value: Type.String({ ...value, maxLength: longestValue, description: 'At most 8 KiB, in base64' }),
  if_version: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: Number.MAX_SAFE_INTEGER,
      description: 'Store the value only if the key has this version; 0: only if the key does not exist',
    }),
  ),
  ttl: Type.Optional(
    Type.String({
      maxLength: 64,
      description: 'The key no longer exists after this time, such as `7d`; by default it never expires',
    }),
  ),
});

const ofTenant = {
  tenant: Type.Optional({
    ...runRequest.properties.tenant,
    description: 'By default, the caller’s own tenant; for a caller with all tenants, the default tenant',
  }),
};
const paging = { limit: limit(1000, 'How many entries to return at most; 1000 by default'), cursor };

export const kvOperations = {
  listKvNamespaces: {
    ...routes.listKvNamespaces,
    tag: 'Key-value store',
    summary: 'List the namespaces that hold keys, and how much each holds',
    scope: 'kv:read',
    query: queryOf({ ...ofTenant, ...paging }),
    answers: [json(200, namespaceList, 'Namespaces, sorted by name')],
    problems: ['validation-error'],
  },
  listKvKeys: {
    ...routes.listKvKeys,
    tag: 'Key-value store',
    summary: 'List the keys of a namespace, without their values; write the slashes of the namespace as %2F',
    scope: 'kv:read',
    query: queryOf({ ...ofTenant, prefix: text('Only keys that begin with this text'), ...paging }),
    answers: [json(200, keyList, 'Keys, sorted')],
    problems: ['validation-error'],
  },
  getKvKey: {
    ...routes.getKvKey,
    tag: 'Key-value store',
    summary: 'Get the value of a key',
    scope: 'kv:read',
    query: queryOf(ofTenant),
    answers: [json(200, entry, 'The value, and its version')],
    problems: ['validation-error', 'kv-key-not-found'],
  },
  putKvKey: {
    ...routes.putKvKey,
    tag: 'Key-value store',
    summary: 'Store a value, or replace it',
    scope: 'kv:write',
    query: queryOf(ofTenant),
    body: putRequest,
    answers: [json(200, entry, 'The key has the new value'), json(201, entry, 'The key is new')],
    problems: ['validation-error', 'permission-denied', 'kv-conflict', 'kv-full', 'not-ready'],
    audit: { action: 'kv.set', object: 'kv', keeps: ['if_version', 'ttl'] },
  },
  deleteKvKey: {
    ...routes.deleteKvKey,
    tag: 'Key-value store',
    summary: 'Delete a key',
    scope: 'kv:write',
    query: queryOf(ofTenant),
    answers: [{ status: 204, description: 'Deleted', content: {} }],
    problems: ['validation-error', 'kv-key-not-found', 'not-ready'],
    audit: { action: 'kv.delete', object: 'kv' },
  },
} as const;
