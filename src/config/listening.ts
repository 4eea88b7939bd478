// How the server is reached beyond a plain address: TLS.

import { addError, type Settings, valueAt } from './settings.ts';

export type TlsConfig = { readonly certFile: string; readonly keyFile: string };

export function checkListening(settings: Settings): void {
  const cert = valueAt(settings, 'server.tls.cert_file');
  const key = valueAt(settings, 'server.tls.key_file');
  if (cert !== null && key === null) {
    addError(
      settings,
      'server.tls.cert_file',
      undefined,
      '`server.tls.cert_file` needs `server.tls.key_file` beside it',
    );
  }
  if (cert === null && key !== null) {
    addError(
      settings,
      'server.tls.key_file',
      undefined,
      '`server.tls.key_file` needs `server.tls.cert_file` beside it',
    );
  }
}

/** null: plain HTTP. */
export function toTlsConfig(settings: Settings): TlsConfig | null {
  const certFile = valueAt(settings, 'server.tls.cert_file');
  const keyFile = valueAt(settings, 'server.tls.key_file');
  return certFile === null || keyFile === null ? null : { certFile, keyFile };
}
