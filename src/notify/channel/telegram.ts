// Telegram. https://core.telegram.org/bots/api#sendmessage

import { withoutEndSlash } from '../../lib/http/http-url.ts';
import { fit, fitBody } from './fitting.ts';
import { ChannelError, jsonRequest, type ToRequest } from './request.ts';

/**
 * Telegram counts the characters without tags and escapes. flwd counts them with the escapes, so the text is never too
 * long.
 */
const mostChars = 4_096;
const mostTitleChars = 500;
const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };
const escaped = (character: string): string => entities[character] ?? character;

export const toTelegram: ToRequest = ({ url, token, chatId }, message) => {
  if (!/^[\w:-]+$/.test(token)) throw new ChannelError('the token is not that of a Telegram bot');
  const title = fit(message.headline, mostTitleChars, { escape: escaped });
  const body = fitBody(message, mostChars - title.length - 2, { escape: escaped });
  return jsonRequest(`${withoutEndSlash(url)}/bot${token}/sendMessage`, {
    chat_id: chatId,
    text: `<b>${title}</b>\n\n${body}`,
    parse_mode: 'HTML',
    link_preview_options: { is_disabled: true },
  });
};
