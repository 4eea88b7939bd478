// Watches whether the server can be reached, and whether it is healthy.

import { useEffect, useState } from 'react';
import { ApiProblem } from '../client/api-problem.ts';
import type { Client } from '../client/client.ts';

export type Connection = {
  readonly state: 'connecting' | 'healthy' | 'degraded' | 'unhealthy' | 'silent' | 'lost';
  readonly epoch: number;
};

const everyMs = 2_000;
const retryMs = 500;
/** If the server has not answered within this time, its last state is no longer shown. */
const silentAfterMs = 1_000;
/** A server that accepts the connection and does not answer counts as unreachable. */
const timeoutMs = 5_000;

export function useConnection(client: Client, isLetIn: boolean): Connection {
  const [connection, setConnection] = useState<Connection>({ state: 'connecting', epoch: 0 });
  useEffect(() => {
    if (!isLetIn) return undefined;
    const ending = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    const look = async (): Promise<void> => {
      const silence = setTimeout(() => setConnection(silenced), silentAfterMs);
      const state = await stateOf(client, ending.signal).finally(() => clearTimeout(silence));
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

function silenced(last: Connection): Connection {
  return last.state === 'connecting' || last.state === 'lost' ? last : { ...last, state: 'silent' };
}

async function stateOf(client: Client, ending: AbortSignal): Promise<Connection['state']> {
  try {
    const signal = AbortSignal.any([ending, AbortSignal.timeout(timeoutMs)]);
    return (await client.call('getHealth', { signal })).status;
  } catch (error) {
    // A server that answers with an error is reachable.
    return error instanceof ApiProblem ? (error.status === 429 ? 'degraded' : 'unhealthy') : 'lost';
  }
}
