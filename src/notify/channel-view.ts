// The channels as operators see them: their types, where they send to, and whether a test message arrives.

import type { ChannelType } from '../domain/notification.ts';
import { type Clock, toTimestamp } from '../lib/clock.ts';
import { createId } from '../lib/ids.ts';
import { ChannelError } from './channel/request.ts';
import { type Channels, originOf } from './channels.ts';
import type { Messages } from './message.ts';
import { send } from './send.ts';
import type { Signer } from './signing.ts';

type ShownChannel = {
  readonly name: string;
  readonly type: ChannelType;
  /** null: `problem` says why it is not known. */
  readonly origin: string | null;
  /** Why the channel cannot send now. */
  readonly problem: string | null;
};

export function createChannelView(o: {
  readonly channels: Channels;
  readonly messages: Messages;
  readonly signer: Signer;
  readonly clock: Clock;
  readonly timeoutMs: number;
}) {
  const { channels, messages, signer, clock, timeoutMs } = o;
  const closing = new AbortController();

  /** Returns the channel and the request for a test message. If the channel has a problem, there is no request. */
  async function prepare({ name, type }: Channels['list'][number]) {
    const nowMs = clock.now();
    const id = createId('notice', nowMs);
    try {
      const request = await channels.requestFor(name, messages.sample(id, toTimestamp(nowMs)));
      return { channel: { name, type, origin: originOf(request), problem: null }, call: { id, request } };
    } catch (error) {
      if (!(error instanceof ChannelError)) throw error;
      return { channel: { name, type, origin: null, problem: error.detail }, call: null };
    }
  }

  return {
    list: (): Promise<readonly ShownChannel[]> =>
      Promise.all(channels.list.map(async (one) => (await prepare(one)).channel)),
    /**
     * Sends a test message now. `error` is null if the receiver accepted it. Returns undefined if there is no such
     * channel.
     */
    async test(name: string): Promise<{ readonly channel: ShownChannel; readonly error: string | null } | undefined> {
      const found = channels.list.find((one) => one.name === name);
      if (!found) return undefined;
      const { channel, call } = await prepare(found);
      if (!call) return { channel, error: channel.problem };
      const attempt = await send({ ...call, signer, clock, timeoutMs, signal: closing.signal });
      return { channel, error: attempt.isDelivered ? null : attempt.error };
    },
    /** Aborts the tests in progress. */
    close: () => closing.abort(),
  };
}
