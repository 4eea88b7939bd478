// API tokens: `flwd_<id>_<secret>`. The id finds the stored token and may be shown; only a hash of
// the secret is kept (ADR 0015).

import type { Principal, Scope } from '../principal.ts';
import { createJobLimit } from './job-limit.ts';

/** What a token is limited to, besides its scopes (ADR 0067). It never changes. */
export type TokenLimits = {
  /** `tag:NAME`, or patterns of job ids; null: all jobs. */
  readonly only: readonly string[] | null;
  /** The stored secrets that its arguments may name. null: all secrets or, with `only`, no secret. */
  readonly secrets: readonly string[] | null;
  readonly isAgent: boolean;
  /** Each run that it starts waits for a person. */
  readonly asksAlways: boolean;
};

export type ApiToken = {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** `*` means every tenant. */
  readonly tenant: string;
  readonly createdAtMs: number;
  readonly createdBy: string;
  /** null means that it never expires. */
  readonly expiresAtMs: number | null;
  /** May be up to a minute older than the last use. */
  readonly lastUsedAtMs: number | null;
  readonly revokedAtMs: number | null;
  /** null: nothing limits it. */
  readonly limits: TokenLimits | null;
};

/** @param tagsOf the tags of a job of a trusted source; empty for other jobs */
export function restrictionsOfToken(
  { limits }: Pick<ApiToken, 'limits'>,
  tagsOf: (jobId: string) => readonly string[],
): Pick<Principal, 'jobs' | 'secrets' | 'asksAlways' | 'isAgent'> {
  if (!limits) return {};
  const { only, isAgent, asksAlways } = limits;
  const secrets = limits.secrets ?? (only ? [] : null);
  return {
    ...(only && { jobs: createJobLimit(only, tagsOf) }),
    ...(secrets && { secrets }),
    ...(asksAlways && { asksAlways }),
    ...(isAgent && { isAgent }),
  };
}

export const tokenNamePattern = '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$';

/**
 * Principals that are not tokens have these names. Names are compared without case, because people read `Local` as
 * `local`.
 */
const reservedNames = ['local', 'anonymous'];

export function isReservedName(name: string): boolean {
  return reservedNames.includes(name.toLowerCase());
}

export const tokenPrefix = 'flwd_';

/** @param secret 64 hex digits */
export function formatCredential(id: string, secret: string): string {
  return `${tokenPrefix}${id.slice('token_'.length)}_${secret}`;
}

/** undefined when the text is not a token. */
export function parseCredential(text: string): { readonly id: string; readonly secret: string } | undefined {
  const [, ulid, secret] = /^flwd_([0-9A-HJKMNP-TV-Z]{26})_([0-9a-f]{64})$/.exec(text) ?? [];
  return ulid && secret ? { id: `token_${ulid}`, secret } : undefined;
}

export const tokenStatuses = ['active', 'expired', 'revoked'] as const;

export function tokenStatus(
  { revokedAtMs, expiresAtMs }: Pick<ApiToken, 'revokedAtMs' | 'expiresAtMs'>,
  nowMs: number,
): (typeof tokenStatuses)[number] {
  if (revokedAtMs !== null) return 'revoked';
  return expiresAtMs !== null && expiresAtMs <= nowMs ? 'expired' : 'active';
}
