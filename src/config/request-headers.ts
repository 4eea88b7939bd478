// The names of headers that flwd.yaml adds to requests of flwd.

import { addError, type Settings, valueAt } from './settings.ts';

/** A token as RFC 9110, section 5.6.2, defines it. */
const headerName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** The headers about the length of the body and the connection, which flwd sets itself. */
const ownHeaders = ['connection', 'content-length', 'expect', 'keep-alive', 'transfer-encoding', 'upgrade'];

export function checkHeaders(
  settings: Settings,
  path: 'notify.channels.<name>.headers' | 'telemetry.otlp.headers',
  at?: string | number,
): void {
  for (const name of Object.keys(valueAt(settings, path, at) ?? {}))
    if (!headerName.test(name) || ownHeaders.includes(name.toLowerCase()))
      addError(
        settings,
        path,
        headerName.test(name)
          ? `flwd sets the header \`${name}\` itself`
          : `\`${name}\` cannot be the name of a header`,
        at,
      );
}
