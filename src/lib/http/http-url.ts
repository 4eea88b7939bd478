// Checks the addresses that flwd sends requests to, and its own address.

/**
 * Whether the text is an HTTP address without a user and password: `fetch` does not accept them, and a log could reveal
 * them.
 */
export function isHttpUrl(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
}

/** Removes the slash at the end, so that a path can follow. */
export function withoutEndSlash(url: string): string {
  return url.replace(/\/+$/, '');
}
