// Requests that must not be done twice: one that is made again after a broken answer has the key of the first.

import { useRef } from 'react';
import { newKey } from '../pieces/words.ts';

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
