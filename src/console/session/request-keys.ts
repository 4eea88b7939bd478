// Idempotency keys. If the answer to a request was lost, the request is sent again with the same key.

import { useRef } from 'react';

type Headers = Readonly<Record<string, string>>;

/** @returns a function that sends a request with a key. The same request has the same key until it succeeds. */
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

/** Browsers offer `crypto.randomUUID` only over HTTPS and on localhost, so it is not used here. */
export function newKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
