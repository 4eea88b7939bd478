// The verifier of JWTs that the server uses, with a clock that the test sets. It records what the verifier logs.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { onTestFinished, vi } from 'vitest';
import type { JwtVerifier } from '../../src/server/admission/authentication.ts';
import { createJwtVerifier } from '../../src/server/admission/jwt.ts';
import type { JwtConfig } from '../../src/server/server-config.ts';
import { audienceName, issuerName, keySetOf, type SigningKey } from '../support/an-issuer.ts';

export type TestVerifier = JwtVerifier & {
  /** The messages of logged warnings and errors. */
  readonly warnings: readonly string[];
  /** The reasons why tokens were refused. */
  readonly reasons: readonly string[];
  /** Sets the server's clock forward by this many milliseconds. */
  readonly goAhead: (ms: number) => void;
};

export function createVerifier(keys: JwtConfig['keys'], more: Partial<JwtConfig> = {}): TestVerifier {
  const warnings: string[] = [];
  const reasons: string[] = [];
  let aheadMs = 0;
  const log = pino(
    { level: 'debug' },
    {
      write(line) {
        const { level, msg, reason }: { level: number; msg: string; reason?: string } = JSON.parse(line);
        if (level >= 40) warnings.push(`${msg}: ${reason}`);
        else if (reason !== undefined) reasons.push(reason);
      },
    },
  );
  const verifier = createJwtVerifier(
    {
      issuer: issuerName,
      audience: audienceName,
      keys,
      tenantClaim: 'tenant',
      scopeClaim: 'scope',
      algorithms: ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'],
      clockSkewMs: 30_000,
      ...more,
    },
    { defaultTenant: 'default', clock: { now: () => Date.now() + aheadMs }, log },
  );
  return {
    ...verifier,
    warnings,
    reasons,
    goAhead(ms) {
      aheadMs += ms;
    },
  };
}

/** Stops the real clock until the test ends, so that only `goAhead` moves the server's clock. */
export function stopTheClock(): void {
  vi.useFakeTimers({ toFake: ['Date'] });
  onTestFinished(() => void vi.useRealTimers());
}

/** Returns the path of a file with a key set, and a function that replaces the keys. */
export function createKeyFile(...keys: readonly SigningKey[]): {
  readonly file: string;
  readonly write: (text: string) => void;
} {
  const dir = mkdtempSync(join(tmpdir(), 'flwd-jwks-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, 'jwks.json');
  writeFileSync(file, keySetOf(...keys));
  return { file, write: (text) => writeFileSync(file, text) };
}
