// Refuses requests that Node accepts, but that a proxy in front of the server could understand differently (RFC 9112).

import type { IncomingMessage } from 'node:http';
import { Problem } from '../../domain/problem.ts';

/** @returns the problem of a request whose target or server is ambiguous */
export function ambiguity({ httpVersionMajor, url = '', headers, rawHeaders }: IncomingMessage): Problem | undefined {
  if (httpVersionMajor !== 1) return new Problem('malformed-request', 'This server speaks HTTP/1.1 only.');
  // Section 3.2. If there are two headers, Node silently keeps the first.
  if (countOf('host', rawHeaders) > 1)
    return new Problem('malformed-request', 'The request has more than one `Host` header.');
  if (url.startsWith('/')) return undefined;
  const [, authority] = /^https?:\/\/([^/?#]*)/i.exec(url) ?? [];
  if (authority === undefined) return new Problem('malformed-request', 'The request line has no path.');
  // Section 3.2.2. The authority in the request line counts, but the rest of the server looks at `Host`.
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
