// The channels of notifications: their list, and a test of one.

import type { ChannelType } from '../../domain/notification.ts';
import { holdsScope, type Principal } from '../../domain/principal.ts';
import { Problem } from '../../domain/problem.ts';
import { toTimestamp } from '../../lib/clock.ts';
import type { Store } from '../../store/open.ts';
import type { Handlers } from '../exchange.ts';
import { isInstanceAdmin } from './system.ts';

type Channel = {
  readonly name: string;
  readonly type: ChannelType;
  readonly origin: string | null;
  readonly problem: string | null;
};

/** What the server needs of the part that sends notifications. */
export type ServerChannels = {
  readonly list: () => Promise<readonly Channel[]>;
  /** undefined: there is no such channel. */
  readonly test: (name: string) => Promise<{ readonly channel: Channel; readonly error: string | null } | undefined>;
};

export function createChannelHandlers(o: {
  readonly channels: ServerChannels;
  readonly notifications: Pick<Store['notifications'], 'lastOf'>;
}): Pick<Handlers, 'listChannels' | 'testChannel'> {
  async function lastOf(names: readonly string[], principal: Principal) {
    const seesAll = holdsScope(principal, 'runs:read') && !principal.jobs;
    return seesAll ? o.notifications.lastOf(names, principal) : new Map<string, never>();
  }

  return {
    async listChannels({ request: { principal } }) {
      const channels = await o.channels.list();
      const found = await lastOf(
        channels.map(({ name }) => name),
        principal,
      );
      return {
        channels: channels.map(({ name, type, ...address }) => {
          // The origin may come from a stored secret, and a problem names it.
          const channel = { name, type, ...(isInstanceAdmin(principal) ? address : { origin: null, problem: null }) };
          const last = found.get(name);
          if (!last) return { ...channel, last_delivery: null };
          const status = last.status === 'delivered' ? ('delivered' as const) : ('failed' as const);
          const at = toTimestamp(last.finishedAtMs);
          return { ...channel, last_delivery: { status, error: last.last_error, at } };
        }),
      };
    },

    async testChannel({ path }) {
      const tested = await o.channels.test(path.name);
      if (!tested) throw new Problem('channel-not-found', `There is no channel '${path.name}' in flwd.yaml.`);
      const { channel, error } = tested;
      const { name, type, origin } = channel;
      return { name, type, origin, delivered: error === null, error };
    },
  };
}
