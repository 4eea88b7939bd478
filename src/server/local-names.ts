// Which `Host` and `Origin` are this machine's own. A page that rebinds its DNS name to loopback, or posts across sites,
// cannot forge either.

const localHost = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i;
const localOrigin = /^https?:\/\/(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i;

export function isLocalHost(host: string): boolean {
  return localHost.test(host);
}

export function isLocalOrigin(origin: string): boolean {
  return localOrigin.test(origin);
}
