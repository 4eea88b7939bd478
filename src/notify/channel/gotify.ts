// Gotify. https://gotify.net/api-docs#/message/createMessage

import { withoutEndSlash } from '../../lib/http/http-url.ts';
import type { Tone } from '../message.ts';
import { fit, fitBody } from './fitting.ts';
import { jsonRequest, type ToRequest } from './request.ts';

const priorities: Readonly<Record<Tone, number>> = { good: 4, bad: 8, neutral: 4 };

export const toGotify: ToRequest = ({ url, token }, message) => {
  const click = message.url === null ? {} : { 'client::notification': { click: { url: message.url } } };
  const body = {
    title: fit(message.headline, 500),
    message: fitBody(message, 8_000),
    priority: priorities[message.tone],
    extras: { 'client::display': { contentType: 'text/plain' }, ...click },
  };
  return jsonRequest(`${withoutEndSlash(url)}/message`, body, { 'x-gotify-key': token });
};
