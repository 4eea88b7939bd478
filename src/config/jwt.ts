// Decides which JWTs the server accepts. The settings must be complete: issuer and audience have no defaults.

import { isLoopback } from '../lib/loopback.ts';
import type { KeyPath } from './keys.ts';
import { addError, type Settings, settingAt, valueAt } from './settings.ts';

export function checkJwt(settings: Settings): void {
  const isSet = (path: KeyPath) => settingAt(settings, path)?.origin.kind !== 'default';
  const file = valueAt(settings, 'auth.jwt.jwks_file');
  const url = valueAt(settings, 'auth.jwt.jwks_url');
  const first = jwtKeys.find(isSet);
  if (first === undefined) return;
  if (file === null && url === null)
    addError(settings, first, `\`${first}\` also needs \`auth.jwt.jwks_file\` or \`auth.jwt.jwks_url\``);
  if (file !== null && url !== null)
    addError(settings, 'auth.jwt.jwks_url', 'set only one of `auth.jwt.jwks_file` and `auth.jwt.jwks_url`');
  for (const path of ['auth.jwt.issuer', 'auth.jwt.audience'] as const) {
    if (valueAt(settings, path) !== null) continue;
    const why = 'without it, the server would accept every token that these keys have signed';
    addError(settings, first, `\`${path}\` is missing: ${why}`);
  }
  const wrong = url === null ? undefined : unsafe(new URL(url));
  if (wrong) addError(settings, 'auth.jwt.jwks_url', `\`auth.jwt.jwks_url\` ${wrong}`);
  if (valueAt(settings, 'auth.jwt.algorithms').length === 0)
    addError(settings, 'auth.jwt.algorithms', '`auth.jwt.algorithms` must name at least one algorithm');
}

/** null: the server accepts no JWTs. */
export function toJwtConfig(settings: Settings) {
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

/** Says why the URL is unsafe. Anyone who can change what the URL returns decides who may log in. */
function unsafe({ protocol, hostname, username, password }: URL): string | undefined {
  if (username !== '' || password !== '') return 'must not contain a user or password';
  if (protocol === 'https:' || isLoopback(hostname.replace(/^\[|\]$/g, ''))) return undefined;
  return 'must begin with https://, because anyone who can change its answer decides who may log in';
}
