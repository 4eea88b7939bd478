// The operations on the channels of notifications, and their schemas.

import { Type } from 'typebox';
import { channelTypes } from '../domain/notification.ts';
import { routes } from './routes.ts';
import { json, literals, named, nullable, textOrNull, timestamp } from './schema-parts.ts';

const channel = {
  name: Type.String(),
  type: literals(channelTypes),
  origin: textOrNull(
    'The origin of its address, such as `https://hooks.slack.com`, without the rest, which may be secret. Null if the caller does not have `admin` of all tenants',
  ),
};

const waiting = {
  messages: Type.Integer(),
  since: { ...timestamp, description: 'When the oldest of these messages was created' },
  error: Type.String({ description: 'Why the message that flwd tries next could not be sent' }),
  next_attempt_at: timestamp,
};

export const channelOperations = {
  listChannels: {
    ...routes.listChannels,
    tag: 'Notifications',
    summary:
      'List the channels of flwd.yaml, each with its last notification and the messages that could not be sent yet',
    scope: 'jobs:read',
    answers: [
      json(
        200,
        named('ChannelList', {
          channels: Type.Array(
            named('Channel', {
              ...channel,
              problem: textOrNull(
                'Why the channel cannot send now: for example, a secret is not stored. Null if it can, or if the caller does not have `admin` of all tenants',
              ),
              last_delivery: nullable(
                Type.Object(
                  {
                    status: literals(['delivered', 'failed'] as const),
                    error: nullable(Type.String()),
                    at: timestamp,
                  },
                  { description: 'The last notification for a run that the caller may read' },
                ),
              ),
              waiting: nullable(
                Type.Object(waiting, {
                  description:
                    'Messages that flwd could not send, and tries to send again. Only messages about runs that the caller may read count. Null: there are no such messages',
                }),
              ),
            }),
          ),
          job_addresses: Type.Array(
            Type.Object({
              origin: Type.String(),
              job_id: Type.String({ description: 'The job of the message that flwd tries next' }),
              waiting: Type.Object(waiting),
            }),
            {
              description:
                'Addresses in `notify.webhook` of jobs, if flwd could not send messages to them, and tries again. Only messages about runs that the caller may read count',
            },
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
    summary: 'Send a test message to a channel now, and get what the receiver answered',
    scope: 'admin',
    isInstanceWide: true,
    answers: [
      json(
        200,
        named('ChannelTest', {
          ...channel,
          delivered: Type.Boolean(),
          error: textOrNull('Why the message was not delivered, without the address'),
        }),
        'Whether the message was delivered',
      ),
    ],
    problems: ['channel-not-found'],
    audit: { action: 'channel.test', object: 'channel' },
  },
} as const;
