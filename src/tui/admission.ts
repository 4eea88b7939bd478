// Stops all requests once the server has refused the token (401). From then on the UI asks only at growing intervals,
// or when the user presses a key, whether the token is accepted again. The server counts each refusal as a failed
// login, and after too many it also refuses other users of this address.

import { useEffect, useState, useSyncExternalStore } from 'react';
import { ApiProblem } from '../client/api-problem.ts';
import type { Client } from '../client/client.ts';
import type { Frame, ResumingStream } from '../client/resuming-stream.ts';

export type Admission = {
  /** While the token is refused, the client sends nothing and throws the refusal. */
  readonly client: Client;
  readonly refusal: ApiProblem | null;
  /** Counts how often the token was accepted again. */
  readonly epoch: number;
  readonly askAgain: () => void;
};

const firstPauseMs = 30_000;
const longestPauseMs = 600_000;

export function useAdmission(client: Client): Admission {
  const [gate] = useState(() => createGate(client));
  const state = useSyncExternalStore(gate.subscribe, gate.state);
  useEffect(() => gate.end, [gate]);
  return { ...state, client: gate.client, askAgain: gate.ask };
}

type GateState = Pick<Admission, 'refusal' | 'epoch'>;
type Gate = {
  readonly client: Client;
  readonly state: () => GateState;
  readonly subscribe: (listener: () => void) => () => void;
  readonly ask: () => void;
  readonly end: () => void;
};

function createGate(client: Client): Gate {
  let state: GateState = { refusal: null, epoch: 0 };
  let pauseMs = firstPauseMs;
  let timer: NodeJS.Timeout | undefined;
  let isAsking = false;
  const listeners = new Set<() => void>();

  function become(next: GateState): void {
    state = next;
    for (const listener of listeners) listener();
  }
  function askLater(): void {
    clearTimeout(timer);
    timer = setTimeout(() => void ask(), pauseMs);
  }
  async function ask(): Promise<void> {
    if (isAsking) return;
    isAsking = true;
    const error = await client.call('listRuns', { query: { limit: 1 } }).then(
      () => null,
      (thrown: unknown) => thrown,
    );
    isAsking = false;
    if (error === null || (error instanceof ApiProblem && error.status === 403)) {
      clearTimeout(timer);
      pauseMs = firstPauseMs;
      become({ refusal: null, epoch: state.epoch + 1 });
      return;
    }
    pauseMs = Math.min(pauseMs * 2, longestPauseMs);
    askLater();
    if (isRefusal(error)) become({ ...state, refusal: error });
  }
  function pass(): void {
    if (state.refusal) throw state.refusal;
  }
  function watch(error: unknown): never {
    if (isRefusal(error)) {
      askLater();
      become({ ...state, refusal: error });
    }
    throw error;
  }
  async function* watched(open: () => ResumingStream): AsyncGenerator<Frame, void> {
    pass();
    try {
      yield* open();
    } catch (error) {
      watch(error);
    }
  }

  return {
    client: {
      async call(id, ...input) {
        pass();
        return client.call(id, ...input).catch(watch);
      },
      async request(id, ...input) {
        pass();
        return client.request(id, ...input).catch(watch);
      },
      stream: (id, ...input) => watched(() => client.stream(id, ...input)),
    },
    state: () => state,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    ask: () => void ask(),
    end: () => clearTimeout(timer),
  };
}

function isRefusal(error: unknown): error is ApiProblem {
  return error instanceof ApiProblem && error.status === 401;
}
