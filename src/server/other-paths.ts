// Other addresses of the API, which clients of another implementation of flwd call (ADR 0052). They are rewritten
// before anything else looks at the request, so the same checks apply as below /api/v1.

import type { IncomingMessage } from 'node:http';
import { apiBase } from '../contract/routes.ts';
import { isConsolePath } from './console.ts';

/** Paths at the root. Some of them are also addresses of the console. */
const atRoot = /^\/(?:(?:jobs|runs)(?:\/.*)?|plans|(?:sources|kv)(?:\/.*)?|health\/storage)$/;
const cancel = /^(\/runs\/[^/]+):cancel$/;
const allEvents = /^\/events(?:\/stream)?$/;

export function apiUrlOf({ url = '/', method, headers }: IncomingMessage): string {
  const [, path = '', query = ''] = /^([^?#]*)(.*)$/s.exec(url) ?? [];
  const below = path.startsWith(`${apiBase}/`) ? path.slice(apiBase.length) : path;
  if (allEvents.test(below)) return `${apiBase}/events/runs${query}`;
  if (method === 'POST' && cancel.test(below)) return `${apiBase}${below.replace(cancel, '$1/cancel')}${query}`;
  if (path === '/startupz') return `/readyz${query}`;
  if (!atRoot.test(path) || isPage(path, method, headers.accept)) return url;
  return `${apiBase}${path}${query}`;
}

/** Whether a person has opened or reloaded a page of the console. */
function isPage(path: string, method: string | undefined, accept = ''): boolean {
  return (method === 'GET' || method === 'HEAD') && isConsolePath(path) && accept.startsWith('text/html');
}
