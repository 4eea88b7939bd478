// API tokens: `flwd_<id>_<secret>`. The id finds the stored token and may be shown; only a hash of
// the secret is kept (ADR 0015).

import type { Scope } from './principal.ts';

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
  /** Up to a minute late. */
  readonly lastUsedAtMs: number | null;
  readonly revokedAtMs: number | null;
};

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
