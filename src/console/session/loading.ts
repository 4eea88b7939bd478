// What the pages know of the server: answers that are asked for again when something has happened.

import { useCallback, useEffect, useEffectEvent, useRef, useState } from 'react';
import { ApiProblem } from '../../client/api-problem.ts';
import { errorText, isPassing } from '../../client/error-words.ts';
import { keepLoaded } from '../../client/retrying.ts';
import { useClient } from './session.tsx';

export type Loaded<T> = {
  readonly value: T | null;
  readonly error: string | null;
  /** Asking again cannot help: whoever asks may not have it. */
  readonly isRefused: boolean;
  readonly again: () => void;
};

type Held<T> = {
  readonly key: string;
  readonly value: T | null;
  readonly error: string | null;
  readonly isRefused: boolean;
};

const retryMs = 2_000;
/** An answer that takes longer is lost on its way, as after a sleep of the machine, and asked for again. */
const longestAnswerMs = 30_000;

/**
 * What `load` gives; afresh when `key` changes, again when `nudge` does. The last value stays while the next is awaited, and
 * where it cannot be had.
 */
export function useLoaded<T>(
  o: { readonly key: string; readonly nudge?: number },
  load: (signal: AbortSignal) => Promise<T>,
): Loaded<T> {
  const client = useClient();
  const [loaded, setLoaded] = useState<Held<T>>({ key: o.key, value: null, error: null, isRefused: false });
  const wake = useRef(() => {});
  const loadNow = useEffectEvent(load);
  // `key` stands for what `load` depends on, `client` for whoever is signed in
  useEffect(() => {
    const { again, stop } = keepLoaded(async (signal) => {
      try {
        const value = await loadNow(AbortSignal.any([signal, AbortSignal.timeout(longestAnswerMs)]));
        if (signal.aborted) return null;
        setLoaded((held) =>
          held.key === o.key && held.value === value && held.error === null
            ? held
            : { key: o.key, value, error: null, isRefused: false },
        );
        return null;
      } catch (error) {
        if (signal.aborted) return null;
        const failure = errorText(error);
        const isRefused = error instanceof ApiProblem && error.status === 403;
        setLoaded((held) => ({ key: o.key, value: held.key === o.key ? held.value : null, error: failure, isRefused }));
        return isPassing(error) ? retryMs : null;
      }
    });
    wake.current = again;
    return () => {
      stop();
      wake.current = () => {};
    };
  }, [client, o.key]);
  const { nudge } = o;
  const heard = useRef(nudge);
  useEffect(() => {
    if (nudge === heard.current) return;
    heard.current = nudge;
    wake.current();
  }, [nudge]);
  const again = useCallback(() => wake.current(), []);
  return loaded.key === o.key ? { ...loaded, again } : { value: null, error: null, isRefused: false, again };
}
