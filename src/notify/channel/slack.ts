// Slack, and others that take its incoming webhooks.
// https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks

import type { Tone } from '../message.ts';
import { fit, fitLines } from './fitting.ts';
import { jsonRequest, type ToRequest } from './request.ts';

const mostSectionChars = 3_000;
const fence = '```';
const colors: Readonly<Record<Tone, string>> = { good: '#2eb886', bad: '#d00000', neutral: '#808080' };
const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };
/** Without this, `<!channel>` and `<https://…|text>` would mention everybody and hide addresses. */
const escaped = (character: string): string => entities[character] ?? character;
const escapeCode = (character: string): string => (character === '`' ? "'" : escaped(character));

export const toSlack: ToRequest = ({ url }, message) => {
  const log = fitLines(message.lines, mostSectionChars - 2 * fence.length - 2, { escape: escapeCode });
  const link =
    message.url === null
      ? []
      : [section('mrkdwn', `<${message.url}|${message.parts.length > 0 ? 'Show the runs' : 'Show the run'}>`)];
  return jsonRequest(url, {
    text: fit(message.headline, mostSectionChars, { escape: escaped }),
    attachments: [
      {
        color: colors[message.tone],
        fallback: fit(message.reason, mostSectionChars, { escape: escaped }),
        blocks: [
          section('plain_text', fit(message.reason, mostSectionChars)),
          ...(log === '' ? [] : [section('mrkdwn', `${fence}\n${log}\n${fence}`)]),
          ...link,
          {
            type: 'context',
            elements: [{ type: 'plain_text', text: fit(message.footer, mostSectionChars), emoji: false }],
          },
        ],
      },
    ],
    unfurl_links: false,
    unfurl_media: false,
  });
};

function section(type: 'plain_text' | 'mrkdwn', text: string) {
  const parts = type === 'plain_text' ? { type, text, emoji: false } : { type, text, verbatim: true };
  return { type: 'section', text: parts };
}
