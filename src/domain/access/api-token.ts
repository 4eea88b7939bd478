// API tokens have the form `flwd_<id>_<secret>`. The server finds the stored token by its id, which is not secret. It
// stores only a hash of the secret (ADR 0015).

import type { Principal, Scope } from '../principal.ts';
import { createJobLimit } from './job-limit.ts';

/** The limits of a token, besides its scopes and its tenant (ADR 0067). They never change after the token was made. */
export type TokenLimits = {
  /** The jobs that the token may use: `tag:NAME`, or patterns of job ids. null means all jobs. */
  readonly only: readonly string[] | null;
  /** The stored secrets that arguments may name. null means all secrets, or no secrets if `only` limits the jobs. */
  readonly secrets: readonly string[] | null;
  readonly isAgent: boolean;
  /** True if a person must approve each run that the token starts. */
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
  /** null means that the token never expires. */
  readonly expiresAtMs: number | null;
  /** The time of the last use, or up to a minute before it. */
  readonly lastUsedAtMs: number | null;
  readonly revokedAtMs: number | null;
  /** null means that only the scopes and the tenant limit the token. */
  readonly limits: TokenLimits | null;
};

/** @param tagsOf returns the tags of a job; an empty list if the job does not come from a trusted source */
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
 * No token may have these names, because principals without a token have them. `isReservedName` ignores case, because
 * people would take `Local` for `local`.
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

/** Returns undefined if the text is not a token. */
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
