// How many requests a principal may send, and how many runs it may start in a profile (ADR 0019).

import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { SecurityProfile } from '../domain/job.ts';
import type { Principal } from '../domain/principal.ts';
import { invariant, Problem } from '../domain/problem.ts';
import type { Clock } from '../lib/clock.ts';
import type { RateLimit, ServerConfig } from './server-config.ts';

const defaults = { local: 1000, others: 100, windowMs: 1000 };

export type RateLimiter = {
  /** Counts a request of `request.principal`, and says what is left. @throws Problem rate-limited */
  readonly countRequest: (request: FastifyRequest, reply: FastifyReply) => Promise<void>;
  /** Counts a run in the profile. @throws Problem rate-limited */
  readonly countRun: (request: FastifyRequest, profile: SecurityProfile) => Promise<void>;
};

export async function createRateLimiter(
  app: FastifyInstance,
  o: { readonly security: ServerConfig['security']; readonly clock: Clock },
): Promise<RateLimiter> {
  await app.register(rateLimit, { global: false });
  const { defaultProfile, profiles } = o.security;
  const configured = profiles[defaultProfile].rateLimit;
  const windowMs = configured?.windowMs ?? defaults.windowMs;
  const ofLocal = createCounter(app, { limit: configured?.limit ?? defaults.local, windowMs });
  const ofOthers = { limit: configured?.limit ?? defaults.others, windowMs };
  const ofKnown = createCounter(app, ofOthers);
  // The plugin's own key: the address, of IPv6 its /64.
  const ofAddresses = app.createRateLimit({ max: ofOthers.limit, timeWindow: windowMs });
  const counters = { local: ofLocal, token: ofKnown, jwt: ofKnown, schedule: ofKnown, anonymous: ofAddresses };
  const runs = new Map<string, ReturnType<typeof createCounter>>();
  for (const [profile, { rateLimit: limit }] of Object.entries(profiles)) {
    if (limit && profile !== defaultProfile) runs.set(profile, createCounter(app, limit));
  }

  return {
    async countRequest(request, { raw }) {
      const use = await counters[request.principal.kind](request);
      invariant(!use.isAllowed, 'nobody is exempt from the rate limit');
      // Set on the raw answer, which keeps the spelling of the names.
      raw.setHeader('X-RateLimit-Limit', use.max);
      raw.setHeader('X-RateLimit-Remaining', use.remaining);
      raw.setHeader('X-RateLimit-Reset', Math.ceil((o.clock.now() + use.ttl) / 1000));
      if (use.isExceeded) throw exceeded('requests', use);
    },
    async countRun(request, profile) {
      const use = await runs.get(profile)?.(request);
      if (use && !use.isAllowed && use.isExceeded) throw exceeded(`runs of the profile '${profile}'`, use);
    },
  };
}

/** Kinds may share a name one day; a counter they never share. */
export function counterKey({ kind, name }: Principal): string {
  return `${kind} ${name}`;
}

function createCounter(app: FastifyInstance, { limit, windowMs }: RateLimit) {
  return app.createRateLimit({
    max: limit,
    timeWindow: windowMs,
    keyGenerator: ({ principal }) => counterKey(principal),
  });
}

function exceeded(
  what: string,
  use: { readonly max: number; readonly timeWindow: number; readonly ttlInSeconds: number },
) {
  return new Problem('rate-limited', `More than ${use.max} ${what} in ${use.timeWindow} ms.`, {
    retry_after: use.ttlInSeconds,
  });
}
