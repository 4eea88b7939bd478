// Which names are this machine's own, and which page of a browser sends a request. A page cannot change the headers
// that this looks at: `Host`, `Origin` and `Sec-Fetch-Site`.

import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';

const localHost = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i;
const localOrigin = /^https?:\/\/(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i;

export function isLocalHost(host: string): boolean {
  return localHost.test(host);
}

export function isLocalOrigin(origin: string): boolean {
  return localOrigin.test(origin);
}

/**
 * Whether a page of another origin sends the request, as far as its browser says. `Origin` is compared with `Host`, and
 * not with a list of local names: another user can serve a page from the same port of another loopback address.
 */
export function isFromForeignPage({ headers, socket }: IncomingMessage): boolean {
  if (isFromAnotherSite(headers)) return true;
  const own = `${'encrypted' in socket ? 'https' : 'http'}://${headers.host}`;
  return headers.origin !== undefined && headers.origin !== own;
}

/**
 * curl and hooks do not send the header; `none` is what a person typed or opened from a bookmark (W3C Fetch Metadata).
 */
export function isFromAnotherSite({ 'sec-fetch-site': site }: IncomingHttpHeaders): boolean {
  return site !== undefined && site !== 'same-origin' && site !== 'none';
}
