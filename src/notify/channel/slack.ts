// Slack, and other services that accept its incoming webhooks. Messages have attachments without blocks, because
// Mattermost shows no blocks.
// https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
// https://developers.mattermost.com/integrate/reference/message-attachments/

import type { Tone } from '../message.ts';
import { fit, fitLines } from './fitting.ts';
import { jsonRequest, type ToRequest } from './request.ts';

const mostHeadlineChars = 300;
/**
 * Mattermost refuses attachments of about 7,000 characters, so the reason and the log must be shorter than that
 * together.
 */
const mostReasonChars = 1_500;
const mostLogChars = 3_000;
const fence = '```';
const colors: Readonly<Record<Tone, string>> = { good: '#2eb886', bad: '#d00000', neutral: '#808080' };
/**
 * Escaping `&`, `<` and `>` disarms `<!channel>`, which mentions everybody, and `<https://…|text>`, which hides an
 * address.
 */
const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '`': "'" };
const escaped = (character: string): string => entities[character] ?? character;

export const toSlack: ToRequest = ({ url }, message) => {
  const log = fitLines(message.lines, mostLogChars, { escape: escaped });
  const reason = fit(withoutMarkdown(message.reason), mostReasonChars, { escape: escaped });
  const headline = fit(withoutMarkdown(message.headline), mostHeadlineChars, { escape: escaped });
  return jsonRequest(url, {
    text: headline,
    attachments: [
      {
        color: colors[message.tone],
        fallback: headline,
        ...(message.url !== null && {
          title: message.parts.length > 0 ? 'Show the runs' : 'Show the run',
          title_link: message.url,
        }),
        text: log === '' ? reason : `${reason}\n${fence}\n${log}\n${fence}`,
        // Without this member, Slack would show the backticks.
        mrkdwn_in: ['text'],
        footer: fit(withoutMarkdown(message.footer), mostHeadlineChars, { escape: escaped }),
      },
    ],
    unfurl_links: false,
    unfurl_media: false,
  });
};

/**
 * Disarms Markdown for Mattermost, in which `@channel` mentions everybody and `[text](https://…)` hides an address. A
 * backslash would do it, but Slack would show the backslash. So a full-width `＠` replaces the `@`, and a space is added
 * before `(`.
 */
function withoutMarkdown(text: string): string {
  return text.replaceAll(/(?<![\p{L}\p{N}])@/gu, '\uff20').replaceAll('](', '] (');
}
