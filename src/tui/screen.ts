// What every screen gets: the way to the server, the room it has, and the way to other screens.

import { createContext, type ReactElement, useContext, useEffect, useLayoutEffect, useRef, useState } from 'react';
import type { Client } from '../client/client.ts';
import { errorText } from '../client/error-words.ts';
import { keepLoaded } from '../client/retrying.ts';
import type { Press } from './presses.ts';

export type Place =
  | { readonly name: 'jobs' }
  | { readonly name: 'runs' }
  | { readonly name: 'form'; readonly jobId: string }
  | { readonly name: 'run'; readonly runId: string };

/** true: the press is used up. */
type PressHandler = (press: Press) => boolean;

export type Surroundings = {
  readonly client: Client;
  /** To be told of each run that is started here. */
  readonly attend: (runId: string) => void;
  readonly columns: number;
  /** Of the body, between header and footer. */
  readonly rows: number;
  /** Counts how often the server was found again after it was lost, or let us in again. */
  readonly epoch: number;
  readonly open: (place: Place) => void;
  readonly back: () => void;
  /** Of the screen on top. */
  readonly takePresses: (handler: PressHandler) => void;
  /** The keys that apply, for the footer. */
  readonly showKeys: (keys: string) => void;
};

export type ScreenProps = {
  /** It is the one on top. The others keep what they hold, draw nothing and ask for nothing. */
  readonly isActive: boolean;
};

export type Body = ReactElement | null;

export const SurroundingsContext = createContext<Surroundings | null>(null);

export function useSurroundings(): Surroundings {
  const surroundings = useContext(SurroundingsContext);
  if (!surroundings) throw new Error('A screen is drawn outside the app.');
  return surroundings;
}

export function usePresses(isActive: boolean, keys: string, handler: PressHandler): void {
  const { takePresses, showKeys } = useSurroundings();
  useLayoutEffect(() => {
    if (isActive) takePresses(handler);
  });
  useLayoutEffect(() => {
    if (isActive) showKeys(keys);
  }, [isActive, keys, showKeys]);
}

type Loaded<T> = { readonly value: T | null; readonly error: string | null };

/**
 * What `load` gives, again every `everyMs` and when `nudge` grows, afresh when `key` changes. The last value stays while the
 * next is awaited, and where it cannot be had.
 */
export function useLoaded<T>(
  o: { readonly isActive: boolean; readonly key: string; readonly everyMs: number; readonly nudge?: number },
  load: (signal: AbortSignal) => Promise<T>,
): Loaded<T> {
  const { epoch } = useSurroundings();
  const [loaded, setLoaded] = useState<Loaded<T>>({ value: null, error: null });
  const wake = useRef(() => {});
  // `key` stands for what `load` depends on, `epoch` for a server found again
  useEffect(() => {
    if (!o.isActive) return undefined;
    const { again, stop } = keepLoaded(async (signal) => {
      const taken = await load(signal).then(
        (value) => () => setLoaded({ value, error: null }),
        (error: unknown) => () => setLoaded(({ value }) => ({ value, error: errorText(error) })),
      );
      if (!signal.aborted) taken();
      return o.everyMs;
    });
    wake.current = again;
    return () => {
      stop();
      wake.current = () => {};
    };
  }, [o.isActive, o.key, o.everyMs, epoch]);
  const { nudge } = o;
  useEffect(() => {
    if (nudge) wake.current();
  }, [nudge]);
  return loaded;
}
