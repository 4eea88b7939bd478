// Finds the principal of a JWT. The token must be signed with a key of the issuer, be for this audience and be valid
// now. Keys that the token itself names (`jwk`, `jku`, `x5u`) are ignored. RFC 7519, RFC 8725.

import { createHash } from 'node:crypto';
import { errors, type JWTPayload, type JWTVerifyOptions, jwtVerify } from 'jose';
import { LRUCache } from 'lru-cache';
import { holdsScope, type Principal, type Scope, scopes, tenantPattern } from '../../domain/principal.ts';
import { Problem } from '../../domain/problem.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { JwtConfig } from '../server-config.ts';
import type { JwtVerifier } from './authentication.ts';
import { createKeyUrlSource, type KeySet, type KeySource, openKeyFileSource } from './jwt-keys.ts';

/**
 * The longest token that is accepted. Some identity providers list all groups of a user in the token. All headers
 * together may have only 16 KiB.
 */
const mostCharacters = 8_192;
const subjectPattern = /^[!-~](?:[ -~]{0,254}[!-~])?$/;
/** The `typ` of a token for an API. An issuer also signs other tokens, for example for a logout (RFC 8725, 3.11). */
const typePattern = /^(?:application\/)?(?:at\+)?jwt$/i;

/**
 * For how long a valid token is not checked again, even if its key is withdrawn meanwhile. Checking a signature takes
 * 100 µs.
 */
const believedMs = 60_000;
const mostBelieved = 4_096;

type Believed = { readonly principal: Principal; readonly untilMs: number };

/** @throws StartError if the file of the keys cannot be used */
export function createJwtVerifier(
  config: JwtConfig,
  o: { readonly defaultTenant: string; readonly clock: Clock; readonly log: Logger },
): JwtVerifier {
  const { clock, log } = o;
  const source =
    'file' in config.keys ? openKeyFileSource(config.keys.file, o) : createKeyUrlSource(config.keys.url, o);
  const believed = new LRUCache<string, Believed>({ maxSize: mostBelieved, sizeCalculation: () => 1 });

  async function check(token: string): Promise<Believed> {
    const nowMs = clock.now();
    const payload = await verifySignature(token, source, {
      algorithms: [...config.algorithms],
      issuer: config.issuer,
      audience: config.audience,
      requiredClaims: ['exp', 'sub'],
      clockTolerance: config.clockSkewMs / 1000,
      currentDate: new Date(nowMs),
    });
    const { exp = 0, iat = 0 } = payload;
    if (iat * 1000 > nowMs + config.clockSkewMs) throw new Refused('it was issued in the future');
    return {
      principal: toPrincipal(payload, config, o.defaultTenant),
      untilMs: Math.min(nowMs + believedMs, exp * 1000 + config.clockSkewMs),
    };
  }

  return {
    async verify(token) {
      if (token.length > mostCharacters) return undefined;
      // This is called even for cached tokens. So the log warns of a broken key file before a new key is needed.
      source.watch();
      const id = createHash('sha256').update(token).digest('base64');
      const known = believed.get(id);
      if (known && known.untilMs > clock.now()) return known.principal;
      try {
        const found = await check(token);
        believed.set(id, found);
        return found.principal;
      } catch (error) {
        // The keys could not be read, which does not count as a failed login.
        if (error instanceof Problem) throw error;
        log.debug({ reason: error instanceof Error ? error.message : String(error) }, 'a JWT was refused');
        return undefined;
      }
    },
  };
}

class Refused extends Error {}

/** Checks the signature with the current keys. If no key fits, tries newer keys. */
async function verifySignature(token: string, source: KeySource, options: JWTVerifyOptions): Promise<JWTPayload> {
  try {
    return await verifyWith(await source.current(), token, options);
  } catch (error) {
    const isOfOtherKeys =
      error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWSSignatureVerificationFailed;
    const newer = isOfOtherKeys ? await source.newer() : undefined;
    if (!newer) throw error;
    return verifyWith(newer, token, options);
  }
}

async function verifyWith(keys: KeySet, token: string, options: JWTVerifyOptions): Promise<JWTPayload> {
  try {
    const { payload, protectedHeader } = await jwtVerify(token, keys, options);
    return checkType(payload, protectedHeader.typ);
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
    // A token without `kid` may be signed with any key of the issuer.
    for await (const key of error) {
      try {
        const { payload, protectedHeader } = await jwtVerify(token, key, options);
        return checkType(payload, protectedHeader.typ);
      } catch (other) {
        if (!(other instanceof errors.JWSSignatureVerificationFailed)) throw other;
      }
    }
    throw new errors.JWSSignatureVerificationFailed();
  }
}

function checkType(payload: JWTPayload, typ = 'JWT'): JWTPayload {
  if (!typePattern.test(typ)) throw new Refused(`its type is ${JSON.stringify(typ)}`);
  return payload;
}

function toPrincipal(payload: JWTPayload, config: JwtConfig, defaultTenant: string): Principal {
  const { sub } = payload;
  if (typeof sub !== 'string' || !subjectPattern.test(sub))
    throw new Refused('its `sub` is not 1 to 256 printable ASCII characters');
  const held = toScopes(claimOf(payload, config.scopeClaim));
  const principal = { kind: 'jwt', name: `jwt:${sub}`, scopes: held, tenant: '' } as const;
  const claimed = claimOf(payload, config.tenantClaim);
  const tenant = claimed === undefined ? defaultTenant : claimed;
  if (typeof tenant !== 'string') throw new Refused('its tenant is not a string');
  if (tenant === '*' ? !holdsScope(principal, 'admin') : !tenantPattern.test(tenant)) {
    throw new Refused(
      tenant === '*' ? 'its tenant is `*`, which needs the scope `admin`' : 'its tenant is not a valid name',
    );
  }
  return { ...principal, tenant };
}

/** The claim is a list, or a string whose values are separated by spaces (RFC 8693, 4.2). */
function toScopes(claim: unknown): readonly Scope[] {
  const words: readonly unknown[] = typeof claim === 'string' ? claim.split(' ') : Array.isArray(claim) ? claim : [];
  return scopes.filter((scope) => words.includes(scope));
}

function claimOf(payload: JWTPayload, name: string): unknown {
  return Object.hasOwn(payload, name) ? payload[name] : undefined;
}
