// Lists the channels of notifications, and tests a channel.

import type { ChannelType } from '../../domain/notification.ts';
import { holdsScope, type Principal } from '../../domain/principal.ts';
import { Problem } from '../../domain/problem.ts';
import { unlessThere } from '../../domain/unless-there.ts';
import { toTimestamp } from '../../lib/clock.ts';
import { listSome } from '../../lib/list-some.ts';
import { nearest } from '../../lib/nearest.ts';
import type { LastNotification, WaitingMessages } from '../../store/notifications.ts';
import type { Store } from '../../store/open.ts';
import type { Handlers } from '../exchange.ts';
import { isInstanceAdmin } from './system.ts';

type Channel = {
  readonly name: string;
  readonly type: ChannelType;
  readonly origin: string | null;
  readonly problem: string | null;
};

/** The functions of `notify` that the server needs. */
export type ServerChannels = {
  readonly list: () => Promise<readonly Channel[]>;
  /** undefined: there is no such channel. */
  readonly test: (name: string) => Promise<{ readonly channel: Channel; readonly error: string | null } | undefined>;
};

export function createChannelHandlers(o: {
  readonly channels: ServerChannels;
  readonly notifications: Pick<Store['notifications'], 'lastOf' | 'waiting'>;
}): Pick<Handlers, 'listChannels' | 'testChannel'> {
  /**
   * The notifications of runs that the caller may read, by channel; null: the caller may not read all runs of its
   * tenant.
   */
  async function deliveriesOf(names: readonly string[], principal: Principal) {
    if (!holdsScope(principal, 'runs:read') || principal.jobs) return null;
    const [last, waiting] = await Promise.all([
      o.notifications.lastOf(names, principal),
      o.notifications.waiting(principal),
    ]);
    return { last, waiting };
  }

  async function unknownChannel(name: string): Promise<Problem> {
    const names = (await o.channels.list()).map((channel) => channel.name);
    const near = nearest(name, names);
    const known = names.length === 0 ? '' : `, but has ${listSome(names)}`;
    const hint = near === undefined ? `${known}:` : `; did you mean '${near}'? If not,`;
    const add = `add '${name}' to notify.channels in flwd.yaml, ${unlessThere}.`;
    return new Problem('channel-not-found', `The server has no channel '${name}'${hint} ${add}`);
  }

  return {
    async listChannels({ request: { principal } }) {
      const channels = await o.channels.list();
      const deliveries = await deliveriesOf(
        channels.map(({ name }) => name),
        principal,
      );
      return {
        channels: channels.map(({ name, type, ...address }) => {
          // The origin may come from a stored secret, and the problem may name a secret.
          const channel = { name, type, ...(isInstanceAdmin(principal) ? address : { origin: null, problem: null }) };
          const waiting = deliveries?.waiting.find(({ channel: its }) => its === name);
          return {
            ...channel,
            last_delivery: toLast(deliveries?.last.get(name)),
            waiting: waiting ? toWaiting(waiting) : null,
          };
        }),
        job_addresses: (deliveries?.waiting ?? [])
          .filter(({ channel }) => channel === null)
          .map(({ origin, jobId, ...one }) => ({ origin, job_id: jobId, waiting: toWaiting(one) })),
      };
    },

    async testChannel({ path }) {
      const tested = await o.channels.test(path.name);
      if (!tested) throw await unknownChannel(path.name);
      const { channel, error } = tested;
      const { name, type, origin } = channel;
      return { name, type, origin, delivered: error === null, error };
    },
  };
}

function toLast(last: LastNotification | undefined) {
  if (!last) return null;
  const status = last.status === 'delivered' ? ('delivered' as const) : ('failed' as const);
  return { status, error: last.last_error, at: toTimestamp(last.finishedAtMs) };
}

type Waiting = Omit<WaitingMessages, 'channel' | 'origin' | 'jobId'>;

function toWaiting({ messages, sinceMs, error, nextAtMs }: Waiting) {
  return { messages, since: toTimestamp(sinceMs), error, next_attempt_at: toTimestamp(nextAtMs) };
}
