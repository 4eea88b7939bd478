// Why a client has hung up on a server over TLS: its certificate is not trusted, or it speaks no TLS. In words, with what to do.

import { errorCode } from '../lib/error-code.ts';

const ask = 'If the server is yours, name the certificate of its authority, or its own, as `remotes.<name>.ca_file`';

const reasons: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: 'it is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'it comes from an authority that is not known here',
  UNABLE_TO_GET_ISSUER_CERT: 'it comes from an authority that is not known here',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'it comes from an authority that is not known here',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'it comes from an authority that is not known here',
  CERT_UNTRUSTED: 'it comes from an authority that is not known here',
  CERT_HAS_EXPIRED: 'it, or that of its authority, has expired',
  CERT_NOT_YET_VALID: 'it, or that of its authority, is not valid yet',
  CERT_REVOKED: 'it was revoked',
};
const advice: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "Renew it on the server, and see that this machine's clock is right",
  CERT_NOT_YET_VALID: "See that this machine's clock and the server's are right",
  CERT_REVOKED: 'Give the server another one',
};

/** undefined: it was nothing of the kind. @param error with what caused it as its `cause` */
export function trustError(baseUrl: string, error: unknown): string | undefined {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth += 1) {
    const code = errorCode(cause) ?? '';
    const lead = `The certificate of the server at ${baseUrl} is not trusted`;
    const reason = reasons[code];
    if (reason !== undefined) return `${lead}: ${reason}. ${advice[code] ?? `${ask} in flwd.yaml`}.`;
    if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
      return `${lead}: it is for ${namesIn(cause)}. Use an address with a name that it has, or give the server another one.`;
    if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG')
      return `The server at ${baseUrl} does not speak TLS: try http:// in place of https://.`;
    if (code === 'FLWD_OTHER_CERTIFICATE') return `The certificate of the server at ${baseUrl} ${cause.message}.`;
  }
  return undefined;
}

/** As Node has them: `DNS:flwd.example.org, IP Address:10.0.0.7`. */
function namesIn(error: Error): string {
  const certificate = 'cert' in error && typeof error.cert === 'object' ? error.cert : undefined;
  const names = certificate && 'subjectaltname' in certificate ? String(certificate.subjectaltname) : '';
  return names === '' || names === 'undefined'
    ? 'no name at all'
    : names.replaceAll(/(?:DNS|IP Address|URI):/g, '').slice(0, 200);
}
