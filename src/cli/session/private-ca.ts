// Checks a remote's certificate against the authorities in its `ca_file`, not against those that Node knows.

import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Fetch } from '../../client/client.ts';
import { whyUnreadable } from '../../lib/files/watched-file.ts';
import { fetchTrusting } from '../../lib/http/http-fetch.ts';
import { Refusal } from '../exit-code.ts';

/** @throws Refusal if the file cannot be read or contains no certificate */
export function createTrustingFetch(remote: string, caFile: string): Fetch {
  const certificates = readCertificates(remote, caFile);
  return (url, init) => fetchTrusting(certificates, url, init);
}

function readCertificates(remote: string, caFile: string): string[] {
  const lead = `\`ca_file\` of the remote \`${remote}\`: ${caFile}`;
  const text = readPem(lead, caFile);
  const found =
    text.match(/-----BEGIN (?:TRUSTED )?CERTIFICATE-----[\s\S]*?-----END (?:TRUSTED )?CERTIFICATE-----/g) ?? [];
  const certificates = found.filter((pem) => isCertificate(pem));
  if (certificates.length > 0 && certificates.length === found.length) return certificates;
  const what = found.length === 0 ? 'contains no certificate' : 'contains a certificate that cannot be read';
  throw new Refusal(`${lead} ${what}; put the authority's certificate there in PEM format`);
}

function readPem(lead: string, caFile: string): string {
  try {
    return readFileSync(caFile, 'utf8');
  } catch (error) {
    throw new Refusal(`${lead} ${whyUnreadable(error) ?? 'cannot be read'}`);
  }
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).fingerprint256 !== '';
  } catch {
    return false;
  }
}
