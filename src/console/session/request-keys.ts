// Requests that must not be done twice: one that is made again after a broken answer has the key of the first.

import { useRef } from 'react';

type Headers = Readonly<Record<string, string>>;

/** @returns asks with a key that is the same for the same request, until it has been answered well */
export function useRequestKeys(): <T>(request: string, ask: (headers: Headers) => Promise<T>) => Promise<T> {
  const keys = useRef(new Map<string, string>());
  return async (request, ask) => {
    const key = keys.current.get(request) ?? newKey();
    keys.current.set(request, key);
    const answer = await ask({ 'idempotency-key': key });
    keys.current.delete(request);
    return answer;
  };
}

/** `crypto.randomUUID` is there for HTTPS and localhost alone. */
export function newKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
