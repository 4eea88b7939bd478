// Microsoft Teams through a webhook of Workflows, which takes an Adaptive Card.
// https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using

import type { Tone } from '../message.ts';
import { bytesOf, fit, fitLines } from './fitting.ts';
import { jsonRequest, type ToRequest } from './request.ts';

/** The whole message may have 28 KB. In JSON, a quote or a backslash takes two bytes. */
const mostLogBytes = 8_000;
const colors: Readonly<Record<Tone, string>> = { good: 'Good', bad: 'Attention', neutral: 'Default' };

export const toTeams: ToRequest = ({ url }, message) => {
  const log = fitLines(message.lines, mostLogBytes, { sizeOf: bytesOf });
  return jsonRequest(url, {
    type: 'message',
    attachments: [
      {
        contentType: 'application/vnd.microsoft.card.adaptive',
        contentUrl: null,
        content: {
          $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
          type: 'AdaptiveCard',
          version: '1.4',
          fallbackText: fit(message.headline, 1_000),
          body: [
            run({ text: fit(message.headline, 1_000), weight: 'Bolder', size: 'Medium', color: colors[message.tone] }),
            run({ text: message.reason }),
            ...(log === '' ? [] : [run({ text: log, fontType: 'Monospace', size: 'Small' })]),
            run({ text: message.footer, isSubtle: true, size: 'Small' }),
          ],
          ...(message.url !== null && {
            actions: [
              {
                type: 'Action.OpenUrl',
                title: message.parts.length > 0 ? 'Show the runs' : 'Show the run',
                url: message.url,
              },
            ],
          }),
        },
      },
    ],
  });
};

/** Unlike a TextBlock, a RichTextBlock does not read Markdown, so a text cannot contain a link. */
function run(inline: Readonly<Record<string, unknown>>) {
  return { type: 'RichTextBlock', inlines: [{ type: 'TextRun', ...inline }] };
}
