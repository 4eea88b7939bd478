// A channel as flwd.yaml gives it. Tests override what they care about.

import type { Channel } from '../../src/domain/notification.ts';

export function aChannel(over: Partial<Channel> & Pick<Channel, 'type'>): Channel {
  return {
    name: 'team',
    url: null,
    token: null,
    chatId: null,
    routingKey: null,
    to: [],
    method: 'POST',
    headers: {},
    body: null,
    ...over,
  };
}
