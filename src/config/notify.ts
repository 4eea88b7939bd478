// The channels and rules of notifications: which keys each type of channel has, and whether each rule names a channel.

import {
  type Channel,
  type ChannelRule,
  type ChannelType,
  channelNamePattern,
  type Smtp,
} from '../domain/notification.ts';
import { isHttpUrl } from '../lib/http/http-url.ts';
import { checkHeaders } from './request-headers.ts';
import { addError, type Settings, settingAt, valueAt } from './settings.ts';

type Member = 'url' | 'token' | 'chat_id' | 'routing_key' | 'to' | 'method' | 'headers' | 'body';
type Needs = { readonly required: readonly Member[]; readonly optional?: readonly Member[] };

const needsOf: Readonly<Record<ChannelType, Needs>> = {
  webhook: { required: ['url'] },
  slack: { required: ['url'] },
  teams: { required: ['url'] },
  discord: { required: ['url'] },
  telegram: { required: ['token', 'chat_id'], optional: ['url'] },
  ntfy: { required: ['url'], optional: ['token'] },
  gotify: { required: ['url', 'token'] },
  pagerduty: { required: ['routing_key'], optional: ['url'] },
  mail: { required: ['to'] },
  template: { required: ['url'], optional: ['method', 'headers', 'body'] },
};
const members = ['url', 'token', 'chat_id', 'routing_key', 'to', 'method', 'headers', 'body'] as const;

export function checkNotify(settings: Settings): void {
  const channels = settings.items.get('notify.channels') ?? [];
  for (const { at, origin } of channels) {
    if (!new RegExp(channelNamePattern).test(String(at)))
      settings.errors.push({
        origin,
        message: `\`${at}\` cannot be the name of a channel: use up to 63 letters, digits, \`_\` and \`-\``,
      });
    checkChannel(settings, { at, origin });
  }
  checkSmtp(settings);
  const names = channels.map(({ at }) => at);
  for (const { at } of settings.items.get('notify.rules') ?? []) {
    const to: readonly string[] | undefined = valueAt(settings, 'notify.rules[].to', at);
    for (const name of (to ?? []).filter((one) => !names.includes(one)))
      addError(settings, 'notify.rules[].to', `there is no channel \`${name}\` in \`notify.channels\``, at);
    const isDigest = settingAt(settings, 'notify.rules[].digest', at)?.origin.kind !== 'default';
    const pager = (to ?? []).find((name) => valueAt(settings, 'notify.channels.<name>.type', name) === 'pagerduty');
    if (isDigest && pager !== undefined)
      addError(
        settings,
        'notify.rules[].digest',
        `\`${pager}\` gets no digest: an incident of PagerDuty belongs to one job`,
        at,
      );
  }
}

function checkChannel(
  settings: Settings,
  { at, origin }: { readonly at: string | number; readonly origin: (typeof settings.errors)[number]['origin'] },
): void {
  const type: ChannelType | undefined = valueAt(settings, 'notify.channels.<name>.type', at);
  const needs = type && needsOf[type];
  if (!needs) return;
  if (type === 'mail')
    for (const path of ['notify.smtp.url', 'notify.smtp.from'] as const)
      if (settingAt(settings, path)?.origin.kind === 'default')
        settings.errors.push({ origin, message: `a channel of the type \`mail\` needs \`${path}\`` });
  for (const member of members) {
    const path = `notify.channels.<name>.${member}` as const;
    const isSet = settingAt(settings, path, at)?.origin.kind !== 'default';
    if (!isSet && needs.required.includes(member))
      settings.errors.push({ origin, message: `a channel of the type \`${type}\` needs \`${member}\`` });
    if (isSet && ![...needs.required, ...(needs.optional ?? [])].includes(member))
      addError(settings, path, `a channel of the type \`${type}\` has no \`${member}\``, at);
  }
  checkRequest(settings, at);
  const address = valueAt(settings, 'notify.channels.<name>.url', at);
  if (typeof address === 'string' && !isHttpUrl(address))
    addError(
      settings,
      'notify.channels.<name>.url',
      `\`notify.channels.${at}.url\` must be an http or https URL without a user and password, or \`{secret: NAME}\``,
      at,
    );
}

function checkSmtp(settings: Settings): void {
  const written = valueAt(settings, 'notify.smtp.url');
  if (typeof written !== 'string') return;
  const url = URL.parse(written);
  const isRight = url && /^smtps?:$/.test(url.protocol) && url.hostname !== '';
  if (!isRight)
    addError(
      settings,
      'notify.smtp.url',
      '`notify.smtp.url` must be `smtp://HOST:PORT` or `smtps://USER:PASSWORD@HOST:PORT`, or `{secret: NAME}`',
    );
  else if (url.username !== '' && url.password === '')
    addError(settings, 'notify.smtp.url', '`notify.smtp.url` has a user, but no password');
}

/** Records an error if a channel would send a request that no HTTP client sends, such as a GET with a body. */
function checkRequest(settings: Settings, at: string | number): void {
  const hasBody = settingAt(settings, 'notify.channels.<name>.body', at)?.origin.kind !== 'default';
  if (hasBody && valueAt(settings, 'notify.channels.<name>.method', at) === 'GET')
    addError(
      settings,
      'notify.channels.<name>.body',
      'a request with `method: GET` has no body: remove `body`, or use another method',
      at,
    );
  checkHeaders(settings, 'notify.channels.<name>.headers', at);
}

/**
 * Returns the terms of a rule. Leaves out `after`, `repeat` and `digest` if they have their defaults, because terms are
 * stored with every run.
 */
function termsOf(settings: Settings, at: string | number): ChannelRule['terms'] {
  const after = valueAt(settings, 'notify.rules[].after', at);
  const repeatMs = valueAt(settings, 'notify.rules[].repeat', at);
  const digestMs = valueAt(settings, 'notify.rules[].digest', at);
  return {
    on: valueAt(settings, 'notify.rules[].on', at),
    ...(after > 1 && { after }),
    ...(repeatMs !== null && { repeatMs }),
    ...(digestMs !== null && { digestMs }),
  };
}

export function toNotify(settings: Settings): {
  readonly channels: readonly Channel[];
  readonly rules: readonly ChannelRule[];
  readonly smtp: Smtp | null;
} {
  const channels = (settings.items.get('notify.channels') ?? []).map(
    ({ at }): Channel => ({
      name: String(at),
      type: valueAt(settings, 'notify.channels.<name>.type', at),
      url: valueAt(settings, 'notify.channels.<name>.url', at),
      token: valueAt(settings, 'notify.channels.<name>.token', at),
      chatId: valueAt(settings, 'notify.channels.<name>.chat_id', at),
      routingKey: valueAt(settings, 'notify.channels.<name>.routing_key', at),
      to: valueAt(settings, 'notify.channels.<name>.to', at),
      method: valueAt(settings, 'notify.channels.<name>.method', at),
      headers: valueAt(settings, 'notify.channels.<name>.headers', at),
      body: valueAt(settings, 'notify.channels.<name>.body', at),
    }),
  );
  const rules = (settings.items.get('notify.rules') ?? []).map(
    ({ at }): ChannelRule => ({
      jobs: valueAt(settings, 'notify.rules[].jobs', at),
      to: valueAt(settings, 'notify.rules[].to', at),
      terms: termsOf(settings, at),
    }),
  );
  const [url, from] = [valueAt(settings, 'notify.smtp.url'), valueAt(settings, 'notify.smtp.from')];
  return { channels, rules, smtp: url === null || from === null ? null : { url, from } };
}
