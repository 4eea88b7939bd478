// ntfy. Messages are sent as JSON, because headers cannot hold every character.
// https://docs.ntfy.sh/publish/#publish-as-json

import type { Tone } from '../message.ts';
import { bytesOf, fit, fitBody } from './fitting.ts';
import { ChannelError, jsonRequest, type ToRequest } from './request.ts';

/** ntfy turns a longer message into a file. */
const mostBytes = 4_096;
const mostTitleBytes = 250;
const tags: Readonly<Record<Tone, string>> = { good: 'white_check_mark', bad: 'rotating_light', neutral: 'bell' };
const priorities: Readonly<Record<Tone, number>> = { good: 3, bad: 4, neutral: 3 };

export const toNtfy: ToRequest = ({ url, token }, message) => {
  const address = new URL(url);
  const [, path = '', topic = ''] = /^(.*\/)([\w-]+)\/?$/.exec(address.pathname) ?? [];
  if (topic === '') throw new ChannelError('the address does not end with a topic, as in https://ntfy.sh/my-topic');
  const headers = token === '' ? {} : { authorization: `Bearer ${token}` };
  const body = {
    topic,
    title: fit(message.headline, mostTitleBytes, { sizeOf: bytesOf }),
    message: fitBody(message, mostBytes, { sizeOf: bytesOf }),
    priority: priorities[message.tone],
    tags: [tags[message.tone]],
    ...(message.url !== null && { click: message.url }),
  };
  return jsonRequest(`${address.origin}${path}`, body, headers);
};
