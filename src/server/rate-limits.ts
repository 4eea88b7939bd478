// How many requests a principal may send, and the headers that say so.

import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { anonymous } from '../domain/principal.ts';
import { invariant, Problem } from '../domain/problem.ts';
import type { Clock } from '../lib/clock.ts';
import type { RateLimit } from './server-config.ts';

const defaults = { local: 1000, token: 100, windowMs: 1000 };

export type RateLimiter = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

/** @returns counts a request of `request.principal`; throws the Problem rate-limited */
export async function createRateLimiter(
  app: FastifyInstance,
  o: { readonly configured: RateLimit | null; readonly clock: Clock },
): Promise<RateLimiter> {
  await app.register(rateLimit, { global: false });
  const count = app.createRateLimit({
    max: o.configured?.limit ?? ((request) => (request.principal.kind === 'local' ? defaults.local : defaults.token)),
    timeWindow: o.configured?.windowMs ?? defaults.windowMs,
    keyGenerator: ({ principal, ip }) =>
      principal === anonymous ? `anonymous:${ip}` : `${principal.kind}:${principal.name}`,
  });

  return async (request, { raw }) => {
    const use = await count(request);
    invariant(!use.isAllowed, 'nobody is exempt from the rate limit');
    // Set on the raw answer, which keeps the spelling of the names.
    raw.setHeader('X-RateLimit-Limit', use.max);
    raw.setHeader('X-RateLimit-Remaining', use.remaining);
    raw.setHeader('X-RateLimit-Reset', Math.ceil((o.clock.now() + use.ttl) / 1000));
    if (use.isExceeded) {
      throw new Problem('rate-limited', `More than ${use.max} requests in ${use.timeWindow} ms.`, {
        retry_after: use.ttlInSeconds,
      });
    }
  };
}
