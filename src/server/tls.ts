// HTTPS with a certificate that can be replaced while the server runs. A new connection gets the newest certificate
// that fits its key. Open connections continue.

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import type { Server, ServerOptions } from 'node:https';
import type { Socket } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import type { Clock } from '../lib/clock.ts';
import { errorCode } from '../lib/error-code.ts';
import { stampOf, whyUnreadable } from '../lib/files/watched-file.ts';
import type { Logger } from '../lib/logger.ts';
import { StartError } from '../lib/start-error.ts';
import { answerPlainHttp } from './answers/problem-answers.ts';
import type { TlsConfig } from './server-config.ts';

const lookAgainMs = 1_000;

export type TlsCertificate = {
  readonly createServer: (options: ServerOptions, handler: RequestListener) => Server;
  /** SHA-256 of the certificate that the next connection gets, as `AB:CD:…`. */
  readonly fingerprint: () => string;
};

/** @throws StartError if the certificate or its key cannot be used */
export function openTlsCertificate(
  config: TlsConfig,
  { clock, log }: { readonly clock: Clock; readonly log: Logger },
): TlsCertificate {
  const servers: Server[] = [];
  let seen = stampsOf(config);
  let pair = readPair(config);
  let lookedAtMs = clock.now();
  warnOfEnd();

  function look(): void {
    if (Math.abs(clock.now() - lookedAtMs) < lookAgainMs) return;
    lookedAtMs = clock.now();
    const stamps = stampsOf(config);
    if (stamps === seen) return;
    seen = stamps;
    try {
      pair = readPair(config);
      for (const server of servers) server.setSecureContext(pair.context);
      log.info({ valid_to: pair.certificate.validTo }, 'the certificate was read again');
      warnOfEnd();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      // The certificate and its key are two files. While only one of them has been replaced, they do not fit together.
      log.warn({ reason }, 'the new certificate cannot be used; the earlier one stays in use');
    }
  }

  function warnOfEnd(): void {
    const { validTo, validToDate } = pair.certificate;
    if (validToDate.getTime() < clock.now()) log.warn({ valid_to: validTo }, 'the certificate has expired');
  }

  return {
    createServer(options, handler) {
      // Most servers have no certificate, and loading Node's TLS takes 5 ms.
      const server = process.getBuiltinModule('node:https').createServer({ ...options, ...pair.context }, handler);
      // This runs before Node's own listener, which chooses the certificate for this connection.
      server.prependListener('connection', look);
      tellPlainHttp(server);
      servers.push(server);
      return server;
    },
    fingerprint() {
      look();
      return pair.certificate.fingerprint256;
    },
  };
}

/**
 * Answers a client that speaks plain HTTP, instead of closing the connection. The answer goes to the socket below the
 * TLS one.
 */
function tellPlainHttp(server: Server): void {
  const open = new Map<string, Socket>();
  server.on('connection', (socket: Socket) => {
    const key = keyOf(socket);
    open.set(key, socket);
    socket.once('close', () => {
      if (open.get(key) === socket) open.delete(key);
    });
  });
  server.prependListener('tlsClientError', (error: NodeJS.ErrnoException, failed) => {
    const socket = error.code === 'ERR_SSL_HTTP_REQUEST' ? open.get(keyOf(failed)) : undefined;
    if (socket) answerPlainHttp(socket);
  });
}

function keyOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

function stampsOf({ certFile, keyFile }: TlsConfig): string {
  return [certFile, keyFile].map(stampOrReason).join();
}

function stampOrReason(path: string): string {
  try {
    return stampOf(path);
  } catch (error) {
    return errorCode(error) ?? '';
  }
}

type Pair = { readonly context: SecureContextOptions; readonly certificate: X509Certificate };

/** @throws StartError, which names the key of the configuration and what to do */
function readPair({ certFile, keyFile }: TlsConfig): Pair {
  const cert = read(
    'server.tls.cert_file',
    certFile,
    'put the certificate there, followed by those of its issuers, in PEM format',
  );
  const key = read('server.tls.key_file', keyFile, 'put the private key of the certificate there, in PEM format');
  const certificate = toCertificate(cert, certFile);
  if (!certificate.checkPrivateKey(toKey(key, keyFile))) {
    throw new StartError(
      `\`server.tls.key_file\`: ${keyFile} does not belong to the certificate in ${certFile}; name the private key of this certificate`,
    );
  }
  const context = { cert, key, minVersion: 'TLSv1.2' } as const;
  try {
    process.getBuiltinModule('node:tls').createSecureContext(context);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartError(`\`server.tls.cert_file\`: ${certFile} cannot be used: ${reason}; create a new certificate`);
  }
  return { context, certificate };
}

function read(key: string, path: string, advice: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const reason = whyUnreadable(error);
    throw reason === undefined ? error : new StartError(`\`${key}\`: ${path} ${reason}; ${advice}`);
  }
}

function toCertificate(bytes: Buffer, path: string): X509Certificate {
  try {
    if (bytes.includes('-----BEGIN CERTIFICATE-----')) return new X509Certificate(bytes);
  } catch {
    // The error below covers this case too.
  }
  throw new StartError(
    `\`server.tls.cert_file\`: ${path} has no certificate in PEM format; convert it: openssl x509 -outform pem`,
  );
}

function toKey(bytes: Buffer, path: string): KeyObject {
  try {
    return createPrivateKey(bytes);
  } catch {
    // PEM marks encrypted keys, in PKCS #8 and in the older format. Node has no error code for them.
    const isLocked = bytes.includes('ENCRYPTED');
    const reason = isLocked
      ? 'is encrypted with a passphrase; remove the passphrase: openssl pkey'
      : 'has no private key in PEM format; convert it: openssl pkey -outform pem';
    throw new StartError(`\`server.tls.key_file\`: ${path} ${reason}`);
  }
}
