// The operations of API tokens, a part of the table in operations.ts, and their shapes.

import { Type } from 'typebox';
import { tokenNamePattern, tokenStatuses } from '../domain/api-token.ts';
import { scopes } from '../domain/principal.ts';
import { tenantPattern } from '../domain/tenant.ts';
import { literals, nullable, timestamp } from './basics.ts';
import { closed, page } from './operation-parts.ts';
import { routes } from './routes.ts';

const tokenRequest = Type.Object(
  {
    name: Type.String({
      pattern: tokenNamePattern,
      description: 'What it is shown as; no other token in force has it',
    }),
    scopes: Type.Array(literals(scopes), { minItems: 1, maxItems: 64 }),
    tenant: Type.Optional(
      Type.String({
        pattern: `^[*]$|${tenantPattern.source}`,
        description: 'Whose runs it reaches, `*` everybody’s; without it, the caller’s own, or the default tenant',
      }),
    ),
    expires_in: Type.Optional(Type.String({ maxLength: 64, description: 'Such as `90d`; without it, never' })),
  },
  { $id: 'TokenRequest', ...closed },
);

const token = {
  id: Type.String(),
  name: Type.String(),
  scopes: Type.Array(Type.String()),
  tenant: Type.String(),
  status: literals(tokenStatuses),
  created_at: timestamp,
  created_by: Type.String(),
  expires_at: nullable(timestamp),
  last_used_at: nullable(timestamp),
  revoked_at: nullable(timestamp),
};

const tokenCreated = Type.Object(
  { ...token, token: Type.String({ description: 'The token itself, which nobody can be shown again' }) },
  { $id: 'TokenCreated' },
);

const tokenList = Type.Object(
  {
    tokens: Type.Array(Type.Object(token, { $id: 'Token' })),
    total: Type.Integer(),
    next_cursor: nullable(Type.String()),
  },
  { $id: 'TokenList' },
);

export const tokenOperations = {
  createToken: {
    ...routes.createToken,
    tag: 'Tokens',
    summary: 'Make a token; it is shown this once',
    scope: 'admin',
    body: tokenRequest,
    answers: [{ status: 201, description: 'Made', content: { 'application/json': tokenCreated } }],
    problems: ['validation-error', 'permission-denied'],
    audit: { action: 'token.create', object: 'token', keeps: ['name', 'scopes', 'tenant', 'expires_in'] },
  },
  listTokens: {
    ...routes.listTokens,
    tag: 'Tokens',
    summary: 'List tokens, newest first, those that are revoked or expired too',
    scope: 'admin',
    query: Type.Object(
      {
        ...page('Rows at most; 1000 without it'),
      },
      closed,
    ),
    answers: [{ status: 200, description: 'Tokens', content: { 'application/json': tokenList } }],
    problems: ['validation-error'],
  },
  revokeToken: {
    ...routes.revokeToken,
    tag: 'Tokens',
    summary: 'Revoke a token, at once and for good',
    scope: 'admin',
    answers: [{ status: 204, description: 'Revoked', content: {} }],
    problems: ['token-not-found'],
    audit: { action: 'token.revoke', object: 'token' },
  },
} as const;
