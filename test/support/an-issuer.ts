// An issuer of JWTs with real keys. A test writes its key set to a file or serves it.

import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';

export const issuerName = 'https://id.example.org/';
export const audienceName = 'flwd';

export type SigningKey = {
  readonly jwk: JWK;
  readonly privateKey: CryptoKey;
  /** Signs a token with these claims over valid defaults. A claim that is undefined is left out. */
  readonly sign: (
    claims?: Readonly<Record<string, unknown>>,
    header?: Readonly<Record<string, unknown>>,
  ) => Promise<string>;
};

export async function createSigningKey(o: { readonly alg?: string; readonly kid?: string } = {}): Promise<SigningKey> {
  const { alg = 'ES256', kid } = o;
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  const named = kid === undefined ? {} : { kid };
  return {
    privateKey,
    jwk: { ...(await exportJWK(publicKey)), ...named },
    async sign(claims = {}, header = {}) {
      const now = Math.floor(Date.now() / 1000);
      const good = { iss: issuerName, aud: audienceName, sub: 'ada', iat: now, exp: now + 600, scope: 'runs:read' };
      return new SignJWT({ ...good, ...claims }).setProtectedHeader({ alg, ...named, ...header }).sign(privateKey);
    },
  };
}

export function keySetOf(...keys: readonly SigningKey[]): string {
  return JSON.stringify({ keys: keys.map(({ jwk }) => jwk) });
}
