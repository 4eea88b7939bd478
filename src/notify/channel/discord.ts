// Discord. https://discord.com/developers/docs/resources/webhook#execute-webhook

import type { Tone } from '../message.ts';
import { fit, fitLines } from './fitting.ts';
import { jsonRequest, type ToRequest } from './request.ts';

const mostTitleChars = 256;
/** Discord allows 4,096 characters in a description, and 6,000 in all texts of a message together. */
const mostReasonChars = 1_500;
const mostLogChars = 2_500;
const fence = '```';
const colors: Readonly<Record<Tone, number>> = { good: 0x2e_b8_86, bad: 0xd0_00_00, neutral: 0x80_80_80 };
const escaped = (character: string): string => (/[\\`*_~|<>#[\]()@:-]/.test(character) ? `\\${character}` : character);
const escapeCode = (character: string): string => (character === '`' ? "'" : character);

export const toDiscord: ToRequest = ({ url }, message) => {
  const reason = fit(message.reason, mostReasonChars, { escape: escaped });
  const log = fitLines(message.lines, mostLogChars, { escape: escapeCode });
  return jsonRequest(url, {
    embeds: [
      {
        title: fit(message.headline, mostTitleChars, { escape: escaped }),
        description: log === '' ? reason : `${reason}\n${fence}\n${log}\n${fence}`,
        color: colors[message.tone],
        timestamp: message.at,
        footer: { text: fit(message.footer, mostTitleChars) },
        ...(message.url !== null && { url: message.url }),
      },
    ],
    allowed_mentions: { parse: [] },
  });
};
