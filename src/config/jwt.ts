// Whose JWTs are let in. What lets somebody in is said in full or not at all: there is no issuer or audience by default.

import { isLoopback } from '../lib/loopback.ts';
import type { KeyPath } from './keys.ts';
import { addError, type Settings, settingAt, valueAt } from './settings.ts';

export type JwtConfig = {
  readonly issuer: string;
  readonly audience: string;
  /** The JSON Web Key Set: a file's absolute path, or a URL. */
  readonly keys: { readonly file: string } | { readonly url: string };
  readonly tenantClaim: string;
  readonly scopeClaim: string;
  readonly algorithms: readonly string[];
  readonly clockSkewMs: number;
};

export function checkJwt(settings: Settings): void {
  const isSet = (path: KeyPath) => settingAt(settings, path)?.origin.kind !== 'default';
  const file = valueAt(settings, 'auth.jwt.jwks_file');
  const url = valueAt(settings, 'auth.jwt.jwks_url');
  const first = jwtKeys.find(isSet);
  if (first === undefined) return;
  if (file === null && url === null) {
    addError(
      settings,
      first,
      undefined,
      `\`${first}\` needs \`auth.jwt.jwks_file\` or \`auth.jwt.jwks_url\` beside it`,
    );
  }
  if (file !== null && url !== null) {
    addError(
      settings,
      'auth.jwt.jwks_url',
      undefined,
      'only one of `auth.jwt.jwks_file` and `auth.jwt.jwks_url` can be set',
    );
  }
  for (const path of ['auth.jwt.issuer', 'auth.jwt.audience'] as const) {
    if (valueAt(settings, path) !== null) continue;
    const why = 'without it, anybody’s token that these keys have signed would be let in';
    addError(settings, first, undefined, `\`${path}\` is missing: ${why}`);
  }
  const wrong = url === null ? undefined : unsafe(new URL(url));
  if (wrong) addError(settings, 'auth.jwt.jwks_url', undefined, `\`auth.jwt.jwks_url\` ${wrong}`);
  if (valueAt(settings, 'auth.jwt.algorithms').length === 0) {
    addError(settings, 'auth.jwt.algorithms', undefined, '`auth.jwt.algorithms` must name one at least');
  }
}

/** null: no JWT is let in. */
export function toJwtConfig(settings: Settings): JwtConfig | null {
  const file = valueAt(settings, 'auth.jwt.jwks_file');
  const url = valueAt(settings, 'auth.jwt.jwks_url');
  const issuer = valueAt(settings, 'auth.jwt.issuer');
  const audience = valueAt(settings, 'auth.jwt.audience');
  const keys = file === null ? (url === null ? null : { url }) : { file };
  if (keys === null || issuer === null || audience === null) return null;
  return {
    issuer,
    audience,
    keys,
    tenantClaim: valueAt(settings, 'auth.jwt.tenant_claim'),
    scopeClaim: valueAt(settings, 'auth.jwt.scope_claim'),
    algorithms: valueAt(settings, 'auth.jwt.algorithms'),
    clockSkewMs: valueAt(settings, 'auth.jwt.clock_skew'),
  };
}

const jwtKeys = [
  'auth.jwt.jwks_file',
  'auth.jwt.jwks_url',
  'auth.jwt.issuer',
  'auth.jwt.audience',
] as const satisfies readonly KeyPath[];

/** Whoever can answer for the URL decides who is let in. */
function unsafe({ protocol, hostname, username, password }: URL): string | undefined {
  if (username !== '' || password !== '') return 'can have no user and no password';
  if (protocol === 'https:' || isLoopback(hostname.replace(/^\[|\]$/g, ''))) return undefined;
  return 'must begin with https://, since whoever can change its answer decides who is let in';
}
