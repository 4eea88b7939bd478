// Loads the code for JWTs only if the configuration names an issuer. Most configurations do not.

import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { JwtConfig } from '../server-config.ts';
import type { JwtVerifier } from './authentication.ts';

/** null: no issuer is configured. @throws StartError if the file of the keys cannot be used */
export async function openJwtVerifier(
  config: JwtConfig | null,
  o: { readonly defaultTenant: string; readonly clock: Clock; readonly log: Logger },
): Promise<JwtVerifier | null> {
  if (!config) return null;
  const { createJwtVerifier } = await import('./jwt.ts');
  return createJwtVerifier(config, o);
}
