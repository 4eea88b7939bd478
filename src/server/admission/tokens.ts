// Creates, lists and revokes tokens, and decides which tokens a caller may create, list and revoke (ADR 0015).

import { randomBytes } from 'node:crypto';
import type { AnswerOf, BodyOf, QueryOf } from '../../contract/operations.ts';
import {
  type ApiToken,
  formatCredential,
  isReservedName,
  type TokenLimits,
  tokenStatus,
} from '../../domain/access/api-token.ts';
import { agentScopes, jobScopes, type Principal, reachesTenant, tenantFor } from '../../domain/principal.ts';
import { Problem, type ValidationError, validationError } from '../../domain/problem.ts';
import { type Clock, toTimestamp } from '../../lib/clock.ts';
import { defined } from '../../lib/defined.ts';
import { createId } from '../../lib/ids.ts';
import { hashSecret } from '../../lib/secret-hash.ts';
import { parseDuration } from '../../lib/units.ts';
import type { RecordChange } from '../../store/audit/audit.ts';
import type { Store } from '../../store/open.ts';
import { toTimestampOrNull } from '../../store/run/run-rows.ts';

export type Tokens = {
  /** @throws Problem validation-error, permission-denied */
  readonly create: (
    request: BodyOf<'createToken'>,
    by: Principal,
    record?: RecordChange,
  ) => Promise<AnswerOf<'createToken'>>;
  /** Lists the tokens of the principal's tenant. @throws Problem validation-error */
  readonly list: (page: QueryOf<'listTokens'>, by: Principal) => Promise<AnswerOf<'listTokens'>>;
  /** Revoking a token again is not an error. @throws Problem token-not-found */
  readonly revoke: (id: string, by: Principal, record?: RecordChange) => Promise<void>;
};

const mostListed = 1_000;
const secretBytes = 32;
const shortestMs = 60_000;
const longestMs = 3_650 * 86_400_000;

export function createTokens(o: {
  readonly store: Pick<Store, 'db' | 'tokens'>;
  readonly clock: Clock;
  readonly defaultTenant: string;
  /** Called when the revocation is durable. */
  readonly onRevoked: (id: string) => void;
}): Tokens {
  const { store, clock } = o;

  return {
    async create(request, by, record) {
      const nowMs = clock.now();
      const tenant = tenantFor(by, request.tenant, o.defaultTenant);
      if (isReservedName(request.name))
        throw nameError('is reserved for callers without a token; choose another name', 'reserved');
      const limits = readLimits(request);
      const expiresInMs = request.expires_in === undefined ? null : readLifetime(request.expires_in);
      const token: ApiToken = {
        id: createId('token', nowMs),
        name: request.name,
        scopes: [...new Set(request.scopes)],
        tenant,
        createdAtMs: nowMs,
        createdBy: by.name,
        expiresAtMs: expiresInMs === null ? null : nowMs + expiresInMs,
        lastUsedAtMs: null,
        revokedAtMs: null,
        limits,
      };
      const secret = randomBytes(secretBytes).toString('hex');
      const isAdded = await store.db.transact(async (tx) => {
        if (!(await store.tokens.add(tx, { ...token, hash: hashSecret(secret) }))) return false;
        record?.(tx, token);
        return true;
      });
      if (!isAdded)
        throw nameError(
          `'${request.name}' is already the name of a token: choose another one, or revoke that token first`,
          'unique',
        );
      return { ...toAnswer(token, nowMs), token: formatCredential(token.id, secret) };
    },

    async list({ limit = mostListed, ...rest }, by) {
      const { tokens, total, nextCursor } = await store.tokens.list(by.tenant, { limit, ...defined(rest) });
      const nowMs = clock.now();
      return { tokens: tokens.map((token) => toAnswer(token, nowMs)), total, next_cursor: nextCursor };
    },

    async revoke(id, by, record) {
      const token = await store.tokens.find(id);
      if (!token || !reachesTenant(by, token.tenant))
        throw new Problem('token-not-found', `There is no token '${id}'.`);
      await store.db.transact(async (tx) => {
        await store.tokens.revoke(tx, id, clock.now());
        record?.(tx, token);
      });
      o.onRevoked(id);
    },
  };
}

/** Returns a token for an answer. Each member is named, so that nothing else in the row, such as the hash, is sent. */
function toAnswer(token: ApiToken, nowMs: number) {
  return {
    id: token.id,
    name: token.name,
    scopes: [...token.scopes],
    tenant: token.tenant,
    status: tokenStatus(token, nowMs),
    created_at: toTimestamp(token.createdAtMs),
    created_by: token.createdBy,
    expires_at: toTimestampOrNull(token.expiresAtMs),
    last_used_at: toTimestampOrNull(token.lastUsedAtMs),
    revoked_at: toTimestampOrNull(token.revokedAtMs),
    only: toListOrNull(token.limits?.only),
    secrets: toListOrNull(token.limits?.secrets),
    agent: token.limits?.isAgent ?? false,
    approval: token.limits?.asksAlways ? ('always' as const) : null,
  };
}

function toListOrNull(list: readonly string[] | null | undefined): string[] | null {
  return list ? [...list] : null;
}

/** @throws Problem validation-error for scopes that a token with `only` or `agent` cannot have */
function readLimits({ scopes, only, secrets, agent, approval }: BodyOf<'createToken'>): TokenLimits | null {
  const errors = scopes.flatMap((scope, at): ValidationError[] => {
    const why =
      only && !jobScopes.includes(scope)
        ? 'does not concern single jobs, so a token with `only` cannot have it'
        : agent && !agentScopes.includes(scope)
          ? 'is never given to an agent'
          : undefined;
    return why === undefined ? [] : [{ pointer: `/scopes/${at}`, message: `\`${scope}\` ${why}`, keyword: 'scope' }];
  });
  if (errors.length > 0) throw validationError(errors);
  if (!only && !secrets && !agent && !approval) return null;
  return { only: only ?? null, secrets: secrets ?? null, isAgent: agent ?? false, asksAlways: approval === 'always' };
}

function readLifetime(text: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined && ms >= shortestMs && ms <= longestMs) return ms;
  const message = 'must be a duration such as `90d`, between `1m` and `3650d`';
  throw validationError([{ pointer: '/expires_in', message, keyword: 'duration' }]);
}

function nameError(message: string, keyword: string): Problem {
  return validationError([{ pointer: '/name', message, keyword }]);
}
