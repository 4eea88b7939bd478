// Whether the server is there, and how it says it is.

import { useEffect, useState } from 'react';
import { ApiProblem } from '../client/api-problem.ts';
import type { Client } from '../client/client.ts';

export type Connection = {
  readonly state: 'connecting' | 'healthy' | 'degraded' | 'unhealthy' | 'lost';
  readonly epoch: number;
};

const everyMs = 2_000;
const retryMs = 500;
/** A server that takes the connection and says nothing is as good as none. */
const timeoutMs = 5_000;

export function useConnection(client: Client, isLetIn: boolean): Connection {
  const [connection, setConnection] = useState<Connection>({ state: 'connecting', epoch: 0 });
  useEffect(() => {
    if (!isLetIn) return undefined;
    const ending = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    const look = async (): Promise<void> => {
      const state = await stateOf(client, ending.signal);
      if (ending.signal.aborted) return;
      setConnection((last) => {
        const isBack = last.state === 'lost' && state !== 'lost';
        return last.state === state ? last : { state, epoch: last.epoch + (isBack ? 1 : 0) };
      });
      timer = setTimeout(() => void look(), state === 'lost' ? retryMs : everyMs);
    };
    void look();
    return () => {
      ending.abort();
      clearTimeout(timer);
    };
  }, [client, isLetIn]);
  return connection;
}

async function stateOf(client: Client, ending: AbortSignal): Promise<Connection['state']> {
  try {
    const signal = AbortSignal.any([ending, AbortSignal.timeout(timeoutMs)]);
    return (await client.call('getHealth', { signal })).status;
  } catch (error) {
    // It answers, if not as one would like.
    return error instanceof ApiProblem ? (error.status === 429 ? 'degraded' : 'unhealthy') : 'lost';
  }
}
