// Limits how many requests a caller may send, and how many runs it may start in a security profile (ADR 0019).

import type { FastifyReply, FastifyRequest } from 'fastify';
import type { SecurityProfile } from '../../domain/job.ts';
import { accountOf, type Principal } from '../../domain/principal.ts';
import { Problem } from '../../domain/problem.ts';
import type { Clock } from '../../lib/clock.ts';
import { formatDuration } from '../../lib/units.ts';
import { networkOf } from '../admission/failed-logins.ts';
import type { RateLimit, ServerConfig } from '../server-config.ts';
import { createFixedWindow } from './fixed-window.ts';

const defaults = { local: 1000, others: 100, windowMs: 1000 };
/** How many callers are counted separately at the same time. */
const mostCallers = 5_000;
const minuteMs = 60_000;

export type RateLimiter = {
  /**
   * Counts a request of `request.principal`, and sets the headers that say what is left.
   * @throws Problem rate-limited
   */
  readonly countRequest: (request: FastifyRequest, reply: FastifyReply) => void;
  /** Counts a run in the profile. @throws Problem rate-limited */
  readonly countRun: (request: FastifyRequest, profile: SecurityProfile) => void;
  /** Counts a delivery whose signature is right. @throws Problem rate-limited */
  readonly countDelivery: (webhook: { readonly id: string; readonly perMinute: number | null }) => void;
};

export function createRateLimiter(o: {
  readonly security: ServerConfig['security'];
  readonly clock: Clock;
}): RateLimiter {
  const { clock } = o;
  const { defaultProfile, profiles } = o.security;
  const configured = profiles[defaultProfile].rateLimit;
  const windowMs = configured?.windowMs ?? defaults.windowMs;
  const known = createFixedWindow({ windowMs, mostKeys: mostCallers, clock });
  // Addresses have counters of their own, so that a flood of addresses cannot push out the counter of a known caller.
  const addresses = createFixedWindow({ windowMs, mostKeys: mostCallers, clock });
  const deliveries = createFixedWindow({ windowMs: minuteMs, mostKeys: mostCallers, clock });
  const runs = new Map<string, RateLimit & { readonly count: ReturnType<typeof createFixedWindow> }>();
  for (const [profile, { rateLimit }] of Object.entries(profiles)) {
    if (!rateLimit || profile === defaultProfile) continue;
    runs.set(profile, { ...rateLimit, count: createFixedWindow({ ...rateLimit, mostKeys: mostCallers, clock }) });
  }

  return {
    countRequest({ principal, ip }, { raw }) {
      const limit = configured?.limit ?? (accountOf(principal).kind === 'local' ? defaults.local : defaults.others);
      const use = principal.kind === 'anonymous' ? addresses(networkOf(ip)) : known(counterKey(principal));
      // The headers are set on the raw answer, because Fastify would turn their names into lower case.
      raw.setHeader('X-RateLimit-Limit', limit);
      raw.setHeader('X-RateLimit-Remaining', Math.max(0, limit - use.count));
      raw.setHeader('X-RateLimit-Reset', Math.ceil((clock.now() + use.endsInMs) / 1000));
      if (use.count > limit) throw exceeded('requests', { limit, windowMs }, use.endsInMs);
    },
    countDelivery({ id, perMinute }) {
      if (perMinute === null) return;
      const { count, endsInMs } = deliveries(id);
      if (count > perMinute) throw exceeded('deliveries', { limit: perMinute, windowMs: minuteMs }, endsInMs);
    },
    countRun({ principal }, profile) {
      const limited = runs.get(profile);
      if (!limited) return;
      const { count, endsInMs } = limited.count(counterKey(principal));
      if (count > limited.limit) throw exceeded(`runs of the profile '${profile}'`, limited, endsInMs);
    },
  };
}

/** The key contains the kind, because two callers of different kinds may have the same name. */
export function counterKey(principal: Principal): string {
  const { kind, name } = accountOf(principal);
  return `${kind} ${name}`;
}

function exceeded(what: string, { limit, windowMs }: RateLimit, endsInMs: number): Problem {
  const span = windowMs === minuteMs ? 'a minute' : formatDuration(windowMs);
  return new Problem('rate-limited', `There were more than ${limit} ${what} in ${span}; try again later.`, {
    retry_after: Math.ceil(endsInMs / 1000),
  });
}
