// Tokens: made, listed, revoked.

import { type ApiToken, tokenStatus } from '../../domain/api-token.ts';
import { type Clock, toTimestamp } from '../../lib/clock.ts';
import { toTimestampOrNull } from '../../store/run-rows.ts';
import { defined } from '../defined.ts';
import type { Handlers } from '../exchange.ts';
import type { Tokens } from '../tokens.ts';

const defaultLimit = 1000;

export function createTokenHandlers(o: {
  readonly tokens: Tokens;
  readonly clock: Clock;
}): Pick<Handlers, 'createToken' | 'listTokens' | 'revokeToken'> {
  const { tokens, clock } = o;
  return {
    async createToken({ request, reply, body }) {
      const { token, credential } = await tokens.create(body, request.principal);
      return reply
        .code(201)
        .header('cache-control', 'no-store')
        .send({ ...toAnswer(token, clock.now()), token: credential });
    },

    async listTokens({ request, query }) {
      const { limit = defaultLimit, ...rest } = query;
      const page = await tokens.list({ limit, ...defined(rest) }, request.principal);
      const nowMs = clock.now();
      return {
        tokens: page.tokens.map((token) => toAnswer(token, nowMs)),
        total: page.total,
        next_cursor: page.nextCursor,
      };
    },

    async revokeToken({ request, reply, path }) {
      await tokens.revoke(path.token_id, request.principal);
      return reply.code(204).send();
    },
  };
}

/** The members by name: whatever else a row holds, its hash for one, stays here. */
function toAnswer(token: ApiToken, nowMs: number) {
  return {
    id: token.id,
    name: token.name,
    scopes: token.scopes,
    tenant: token.tenant,
    status: tokenStatus(token, nowMs),
    created_at: toTimestamp(token.createdAtMs),
    created_by: token.createdBy,
    expires_at: toTimestampOrNull(token.expiresAtMs),
    last_used_at: toTimestampOrNull(token.lastUsedAtMs),
    revoked_at: toTimestampOrNull(token.revokedAtMs),
  };
}
