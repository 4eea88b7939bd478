// Certificates for loopback, made with openssl, and requests over TLS that trust one of them.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { type Agent, type RequestOptions, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type Certificate = { readonly cert: string; readonly key: string };

/** Self-signed, valid for a day. */
export function createCertificate(
  name: string,
  subjects = 'DNS:localhost,IP:127.0.0.1',
  validity: readonly string[] = ['-days', '1'],
): Certificate {
  const dir = mkdtempSync(join(tmpdir(), 'flwd-certificate-'));
  const [certFile, keyFile] = [join(dir, 'cert.pem'), join(dir, 'key.pem')];
  try {
    const kind = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', ...validity];
    const names = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=${subjects}`];
    execFileSync('openssl', [...kind, ...names, '-keyout', keyFile, '-out', certFile], { stdio: 'pipe' });
    return { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** Creates a certificate that is signed by its own authority, which no system trusts. */
export function createIssued(name: string, subjects: string): Certificate & { readonly authority: string } {
  const dir = mkdtempSync(join(tmpdir(), 'flwd-certificate-'));
  const openssl = (...words: string[]) => execFileSync('openssl', words, { cwd: dir, stdio: 'pipe' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  try {
    openssl('req', '-x509', ...key, '-days', '1', '-subj', '/CN=authority', '-keyout', 'ca.key', '-out', 'ca.pem');
    openssl(
      'req',
      ...key,
      '-subj',
      `/CN=${name}`,
      '-addext',
      `subjectAltName=${subjects}`,
      '-keyout',
      'key',
      '-out',
      'csr',
    );
    openssl(
      'x509',
      '-req',
      '-in',
      'csr',
      '-copy_extensions',
      'copy',
      '-CA',
      'ca.pem',
      '-CAkey',
      'ca.key',
      '-out',
      'cert',
    );
    const [cert, privateKey, authority] = ['cert', 'key', 'ca.pem'].map((file) =>
      readFileSync(join(dir, file), 'utf8'),
    );
    return { cert: cert ?? '', key: privateKey ?? '', authority: authority ?? '' };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** The certificate files of a server's configuration in a folder, and a function that replaces them. */
export function createPairFiles(dir: string, pair: Certificate) {
  const files = { certFile: join(dir, 'cert.pem'), keyFile: join(dir, 'key.pem') };
  const put = ({ cert, key }: Certificate): void => {
    writeFileSync(files.certFile, cert);
    writeFileSync(files.keyFile, key, { mode: 0o600 });
  };
  put(pair);
  return { files, put };
}

export type SecureAnswer = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** The CN of the certificate that the server has shown. */
  readonly shown: string;
};

/** Opens a connection for each request, unless an agent keeps connections open. */
export function getSecurely(
  url: string,
  trusted: Certificate | null,
  o: { readonly agent?: Agent } & Pick<RequestOptions, 'headers' | 'method'> = {},
): Promise<SecureAnswer> {
  return new Promise((resolve, reject) => {
    const trust = trusted ? { ca: trusted.cert } : { rejectUnauthorized: false };
    const sent = request(url, { agent: false, ...trust, ...o }, (response) => {
      const { socket } = response;
      const shown =
        'getPeerCertificate' in socket && typeof socket.getPeerCertificate === 'function'
          ? String(socket.getPeerCertificate().subject.CN)
          : '';
      let body = '';
      response.setEncoding('utf8').on('data', (chunk) => {
        body += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body, shown }));
      response.on('error', reject);
    });
    sent.on('error', reject).end();
  });
}
