// Explains why a TLS connection failed and what to do: the certificate is not trusted, or the server speaks no TLS.

import { errorCode } from '../lib/error-code.ts';

const ask =
  'If this is your server, name the certificate of its authority, or its own, as `remotes.<name>.ca_file` in flwd.yaml';

const reasons: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: 'it is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'its authority is not known here',
  UNABLE_TO_GET_ISSUER_CERT: 'its authority is not known here',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its authority is not known here',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its authority is not known here',
  CERT_UNTRUSTED: 'its authority is not known here',
  CERT_HAS_EXPIRED: 'it, or the certificate of its authority, has expired',
  CERT_NOT_YET_VALID: 'it, or the certificate of its authority, is not valid yet',
  CERT_REVOKED: 'it was revoked',
};
const advice: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "Renew it on the server, and check this machine's clock",
  CERT_NOT_YET_VALID: 'Check the clocks of this machine and of the server',
  CERT_REVOKED: 'Install another certificate on the server',
};

/**
 * Returns undefined if the error has another reason.
 * @param error is searched together with its chain of causes
 */
export function trustError(baseUrl: string, error: unknown): string | undefined {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth += 1) {
    const code = errorCode(cause) ?? '';
    const lead = `The certificate of the server at ${baseUrl} is not trusted`;
    const reason = reasons[code];
    if (reason !== undefined) return `${lead}: ${reason}. ${advice[code] ?? ask}.`;
    if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
      return `${lead}: it is for ${namesIn(cause)}. Use an address with one of these names, or install another certificate.`;
    if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG')
      return `The server at ${baseUrl} does not speak TLS: use http:// instead of https://.`;
    if (code === 'FLWD_OTHER_CERTIFICATE') return `The certificate of the server at ${baseUrl} ${cause.message}.`;
  }
  return undefined;
}

/** Node writes the names like this: `DNS:flwd.example.org, IP Address:10.0.0.7`. */
function namesIn(error: Error): string {
  const certificate = 'cert' in error && typeof error.cert === 'object' ? error.cert : undefined;
  const names = certificate && 'subjectaltname' in certificate ? String(certificate.subjectaltname) : '';
  return names === '' || names === 'undefined'
    ? 'no name'
    : names.replaceAll(/(?:DNS|IP Address|URI):/g, '').slice(0, 200);
}
