// Recognizes names of this machine, and requests that a page of another site sends. It reads `Host`, `Origin` and
// `Sec-Fetch-Site`, which a page cannot change.

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
 * Whether, according to the browser, a page of another origin sends the request. `Origin` is compared with `Host` and
 * not with a list of local names, because another user can serve a page from the same port of another loopback address.
 */
export function isFromForeignPage({ headers, socket }: IncomingMessage): boolean {
  if (isFromAnotherSite(headers)) return true;
  const own = `${'encrypted' in socket ? 'https' : 'http'}://${headers.host}`;
  return headers.origin !== undefined && headers.origin !== own;
}

/**
 * Whether, according to the header `Sec-Fetch-Site`, a page of another site sends the request. curl does not send this
 * header. `none` means that a person typed the address or opened a bookmark.
 */
export function isFromAnotherSite({ 'sec-fetch-site': site }: IncomingHttpHeaders): boolean {
  return site !== undefined && site !== 'same-origin' && site !== 'none';
}
