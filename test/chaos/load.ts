// Requests runs, and cancels some, while the server lives: several requests at once, at random times.

import { setTimeout as delay } from 'node:timers/promises';
import type { Ledger, Order } from './ledger.ts';
import type { Random } from './random.ts';
import type { Script } from './scripts.ts';

export type Load = {
  /** Sends until the server is gone or `signal` is aborted. */
  readonly run: (url: string, signal: AbortSignal) => Promise<void>;
};

const clients = 3;
const longestPauseMs = 250;
/** With more requests under way, only the queue would become longer. */
const mostUnderWay = 14;

export function createLoad(o: {
  readonly ledger: Ledger;
  readonly scripts: Readonly<Record<string, Script>>;
  readonly random: Random;
}): Load {
  const { ledger, random } = o;
  const names = Object.keys(o.scripts);
  let count = 0;

  function newOrder(): Order {
    const jobId = names[random.integer(0, names.length - 1)] ?? 'quick';
    const { n, pauseMs } = o.scripts[jobId]?.args ?? { n: [1, 1], pauseMs: [0, 0] };
    count += 1;
    const name = `order-${count}`;
    const order: Order = {
      name,
      jobId,
      args: { n: random.integer(...n), pause: String(random.integer(...pauseMs) / 1_000) },
      key: random.chance(0.7) ? `key-of-${name}` : null,
      answers: [],
      isCancelled: false,
    };
    ledger.orders.push(order);
    return order;
  }

  /** Picks an order whose response was lost or, now and then, an order that already has its response. */
  function oldOrder(): Order | undefined {
    const repeatable = ledger.orders.filter(({ key }) => key !== null);
    const unanswered = repeatable.filter(({ answers }) => answers.length === 0);
    if (unanswered.length > 0) return unanswered[random.integer(0, unanswered.length - 1)];
    return random.chance(0.15) ? repeatable[random.integer(0, repeatable.length - 1)] : undefined;
  }

  return {
    async run(url, signal) {
      const client = async (): Promise<void> => {
        while (!signal.aborted) {
          await delay(random.integer(0, longestPauseMs), undefined, { signal });
          const old = oldOrder();
          if (!old && (await underWay(url, signal)) >= mostUnderWay) continue;
          const order = old ?? newOrder();
          const runId = await send(url, order, signal, ledger);
          if (runId === undefined) continue;
          order.answers.push(runId);
          if (random.chance(0.15)) {
            await delay(random.integer(0, 400), undefined, { signal });
            order.isCancelled = true;
            await fetch(`${url}/api/v1/runs/${runId}/cancel`, { method: 'POST', signal });
          }
        }
      };
      // The loop kills the server, which breaks every connection.
      await Promise.all(Array.from({ length: clients }, () => client().catch(() => undefined)));
    },
  };
}

/** @returns the acknowledged run; undefined while the server is still reading its jobs */
async function send(url: string, order: Order, signal: AbortSignal, ledger: Ledger): Promise<string | undefined> {
  const answer = await fetch(`${url}/api/v1/runs`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(order.key !== null && { 'idempotency-key': order.key }),
    },
    body: JSON.stringify({ job_id: order.jobId, args: order.args, labels: { order: order.name } }),
    signal,
  });
  const body: unknown = await answer.json();
  if (answer.status === 201) return (body as { run_id: string }).run_id;
  // 404: the server is still reading its jobs. 409: another client sends the same order. 429, 503: try again later.
  if ([404, 409, 429, 503].includes(answer.status)) return undefined;
  ledger.refusals.push(`POST /runs answered ${answer.status}: ${JSON.stringify(body)}`);
  return undefined;
}

async function underWay(url: string, signal: AbortSignal): Promise<number> {
  const info = await (await fetch(`${url}/api/v1/system/info`, { signal })).json();
  const { queue } = info as { queue: { depth: number; running: number } };
  return queue.depth + queue.running;
}
