// The channels of flwd.yaml: looks up their secrets, and turns messages into requests.

import { checkExpression } from '../catalog/expression/expression.ts';
import { notificationRoots } from '../catalog/expression/expression-syntax.ts';
import type { Channel, ChannelType, Smtp, StoredText } from '../domain/notification.ts';
import type { SecretOf } from '../engine/secrets/stored-text.ts';
import { isHeaderValue } from '../lib/http/http-request.ts';
import { StartError } from '../lib/start-error.ts';
import { toDiscord } from './channel/discord.ts';
import { toGotify } from './channel/gotify.ts';
import { type Mail, originOfServer, toMail } from './channel/mail.ts';
import { toNtfy } from './channel/ntfy.ts';
import { changesNoIncident, toPagerDuty } from './channel/pagerduty.ts';
import { ChannelError, type ChannelRequest, type OpenChannel, type ToRequest } from './channel/request.ts';
import { toSlack } from './channel/slack.ts';
import { toTeams } from './channel/teams.ts';
import { toTelegram } from './channel/telegram.ts';
import { toTemplate } from './channel/template.ts';
import { toWebhook } from './channel/webhook.ts';
import type { Message } from './message.ts';
import { openAddress, openText } from './stored-text.ts';

const toRequest: Readonly<Record<Exclude<ChannelType, 'mail'>, ToRequest>> = {
  webhook: toWebhook,
  slack: toSlack,
  teams: toTeams,
  discord: toDiscord,
  telegram: toTelegram,
  ntfy: toNtfy,
  gotify: toGotify,
  pagerduty: toPagerDuty,
  template: toTemplate,
};

/** The default addresses of services. `url` in flwd.yaml overrides them. */
const services: Readonly<Partial<Record<ChannelType, string>>> = {
  telegram: 'https://api.telegram.org',
  pagerduty: 'https://events.pagerduty.com/v2/enqueue',
};

export type Channels = ReturnType<typeof createChannels>;

export function createChannels(o: {
  readonly channels: readonly Channel[];
  readonly smtp: Smtp | null;
  readonly secretOf: SecretOf;
}) {
  const byName = new Map(o.channels.map((channel) => [channel.name, channel]));

  function find(name: string): Channel {
    const channel = byName.get(name);
    if (!channel)
      throw new ChannelError(`flwd.yaml has no channel '${name}', so the message was not sent`, { isFinal: true });
    return channel;
  }

  const textOf = (text: StoredText | null): Promise<string> => openText(text ?? '', o.secretOf);

  async function open(channel: Channel): Promise<OpenChannel> {
    const { name, chatId, to, method, body } = channel;
    const headers: Record<string, string> = {};
    for (const [header, value] of Object.entries(channel.headers)) headers[header] = await textOf(value);
    const [token, routingKey] = [await textOf(channel.token), await textOf(channel.routingKey)];
    assertSendable({ ...headers, token, routing_key: routingKey });
    const url = await openAddress(channel.url ?? services[channel.type] ?? '', o.secretOf);
    return { name, url, token, chatId: chatId ?? '', routingKey, to, method, headers, body };
  }

  async function mailFor({ to }: Channel, message: Message, takenBy: readonly string[]): Promise<Mail> {
    if (!o.smtp) throw new ChannelError('flwd.yaml has no `notify.smtp`');
    return toMail({ to }, message, { url: await textOf(o.smtp.url), from: o.smtp.from, takenBy });
  }

  return {
    /** Sorted by name. */
    list: [...byName.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    /** Whether the channel has no use for the message, so that it is not sent. */
    isOfNoUse: (name: string, message: Message): boolean =>
      byName.get(name)?.type === 'pagerduty' && changesNoIncident(message),
    /**
     * @param takenBy the addresses that have already got the mail
     * @throws ChannelError when there is no such channel, or one of its secrets is not stored
     */
    async requestFor(name: string, message: Message, takenBy: readonly string[] = []): Promise<ChannelRequest | Mail> {
      const channel = find(name);
      if (channel.type === 'mail') return mailFor(channel, message, takenBy);
      return toRequest[channel.type](await open(channel), message);
    },
  };
}

/** Where a message goes, without the parts of the address that may be secret. */
export function originOf(request: ChannelRequest | Mail): string {
  return 'server' in request ? originOfServer(request.server) : new URL(request.url).origin;
}

/** @throws StartError when the expression of a channel is wrong */
export function assertChannels(channels: readonly Channel[]): void {
  for (const { name, body } of channels) {
    const wrong = body === null ? undefined : checkExpression(body, notificationRoots);
    if (wrong !== undefined)
      throw new StartError(`\`notify.channels.${name}.body\` is not a valid expression: ${wrong}`);
  }
}

function assertSendable(values: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(values))
    if (!isHeaderValue(value)) throw new ChannelError(`\`${name}\` has a character that a header cannot contain`);
}
