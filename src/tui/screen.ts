// Everything that a screen needs: the client, the size of the terminal, and functions that open other screens.

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

/** Returns true if the press has been handled. */
type PressHandler = (press: Press) => boolean;

export type ScreenContextValue = {
  readonly client: Client;
  /** Call this with each run that this UI starts. */
  readonly ensureStarted: (runId: string) => void;
  readonly columns: number;
  /** The rows between header and footer. */
  readonly rows: number;
  /** Counts how often the server became reachable again, or accepted the token again. */
  readonly epoch: number;
  readonly open: (place: Place) => void;
  readonly back: () => void;
  /** Sets the handler of the top screen. */
  readonly takePresses: (handler: PressHandler) => void;
  /** Shows the available keys in the footer. */
  readonly showKeys: (keys: string) => void;
};

export type ScreenProps = {
  /** Whether this is the top screen. The others keep their state, draw nothing and send no requests. */
  readonly isActive: boolean;
};

export type Body = ReactElement | null;

export const ScreenContext = createContext<ScreenContextValue | null>(null);

export function useScreenContext(): ScreenContextValue {
  const context = useContext(ScreenContext);
  if (!context) throw new Error('useScreenContext was called outside the app.');
  return context;
}

export function usePresses(isActive: boolean, keys: string, handler: PressHandler): void {
  const { takePresses, showKeys } = useScreenContext();
  useLayoutEffect(() => {
    if (isActive) takePresses(handler);
  });
  useLayoutEffect(() => {
    if (isActive) showKeys(keys);
  }, [isActive, keys, showKeys]);
}

type Loaded<T> = { readonly value: T | null; readonly error: string | null };

/**
 * Calls `load` every `everyMs`, when `nudge` grows, and when `key` changes. Returns the last value until the next one
 * arrives, also if a request fails.
 */
export function useLoaded<T>(
  o: { readonly isActive: boolean; readonly key: string; readonly everyMs: number; readonly nudge?: number },
  load: (signal: AbortSignal) => Promise<T>,
): Loaded<T> {
  const { epoch } = useScreenContext();
  const [loaded, setLoaded] = useState<Loaded<T>>({ value: null, error: null });
  const wake = useRef(() => {});
  // `key` changes with everything that `load` depends on. `epoch` changes when the server is reachable again.
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
