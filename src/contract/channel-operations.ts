// The operations on the channels of notifications, and their schemas.

import { Type } from 'typebox';
import { channelTypes } from '../domain/notification.ts';
import { routes } from './routes.ts';
import { json, literals, named, nullable, textOrNull, timestamp } from './schema-parts.ts';

const channel = {
  name: Type.String(),
  type: literals(channelTypes),
  origin: textOrNull(
    'The origin of its address, whose rest may be secret; only for callers who administer the whole instance',
  ),
};

export const channelOperations = {
  listChannels: {
    ...routes.listChannels,
    tag: 'Notifications',
    summary: 'List the channels of flwd.yaml, with their last notification and those that cannot be sent',
    scope: 'jobs:read',
    answers: [
      json(
        200,
        named('ChannelList', {
          channels: Type.Array(
            named('Channel', {
              ...channel,
              problem: textOrNull(
                'Why it cannot send now, such as a secret that is not stored; only for callers who administer the whole instance',
              ),
              last_delivery: nullable(
                Type.Object(
                  {
                    status: literals(['delivered', 'failed'] as const),
                    error: nullable(Type.String()),
                    at: timestamp,
                  },
                  { description: 'The last one for a run that the caller may read' },
                ),
              ),
              waiting: nullable(
                Type.Object(
                  {
                    messages: Type.Integer(),
                    since: { ...timestamp, description: 'When the oldest of them was created' },
                    error: Type.String({ description: 'Why the one that is tried next could not be sent' }),
                    next_attempt_at: timestamp,
                  },
                  {
                    description:
                      'The messages that could not be sent and are tried again, for runs that the caller may read',
                  },
                ),
              ),
            }),
          ),
        }),
        'Channels, sorted by name',
      ),
    ],
    problems: [],
  },
  testChannel: {
    ...routes.testChannel,
    tag: 'Notifications',
    summary: 'Send a test message to a channel now, and say what the receiver answered',
    scope: 'admin',
    isInstanceWide: true,
    answers: [
      json(
        200,
        named('ChannelTest', {
          ...channel,
          delivered: Type.Boolean(),
          error: textOrNull('Why it was not delivered; never the address'),
        }),
        'What became of the message',
      ),
    ],
    problems: ['channel-not-found'],
    audit: { action: 'channel.test', object: 'channel' },
  },
} as const;
