// What Node reads leniently, and another program in front of the server could read as something else (RFC 9112).

import type { IncomingMessage } from 'node:http';
import { Problem } from '../../domain/problem.ts';

/** What makes it unclear what the request asks for, and of whom. */
export function ambiguity({ httpVersionMajor, url = '', headers, rawHeaders }: IncomingMessage): Problem | undefined {
  if (httpVersionMajor !== 1) return new Problem('malformed-request', 'This server speaks HTTP/1.1.');
  // Section 3.2: of two, Node keeps the first in silence.
  if (countOf('host', rawHeaders) > 1) return new Problem('malformed-request', 'The header `Host` is there twice.');
  if (url.startsWith('/')) return undefined;
  const [, authority] = /^https?:\/\/([^/?#]*)/i.exec(url) ?? [];
  if (authority === undefined) return new Problem('malformed-request', 'The request asks for no path.');
  // Section 3.2.2: the authority is what counts, and the rest of the server looks at `Host`.
  if (authority.toLowerCase() === headers.host?.toLowerCase()) return undefined;
  return new Problem('malformed-request', 'The request line and the header `Host` name different servers.');
}

function countOf(name: string, rawHeaders: readonly string[]): number {
  let count = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const given = rawHeaders[at];
    if (given?.length === name.length && given.toLowerCase() === name) count += 1;
  }
  return count;
}
