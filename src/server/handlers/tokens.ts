// Creates, lists and revokes tokens. admission/tokens.ts has the rules.

import type { Tokens } from '../admission/tokens.ts';
import type { Handlers } from '../exchange.ts';

export function createTokenHandlers(tokens: Tokens): Pick<Handlers, 'createToken' | 'listTokens' | 'revokeToken'> {
  return {
    async createToken({ request, reply, body, record }) {
      const made = await tokens.create(body, request.principal, record);
      return reply.code(201).send(made);
    },

    listTokens: ({ request, query }) => tokens.list(query, request.principal),

    async revokeToken({ request, reply, path, record }) {
      await tokens.revoke(path.token_id, request.principal, record);
      return reply.code(204).send();
    },
  };
}
