// The troubleshooting table of docs/operation.md quotes messages that flwd really prints.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');

test('every message in the table "What the server says" is in the sources', () => {
  const messages = quotedMessages();
  const texts = sourceTexts();
  const missing = messages.filter((message) => message.split('…').some((part) => !texts.includes(part.trim())));
  expect(messages.length).toBeGreaterThan(10);
  expect(missing).toEqual([]);
});

/** Quotes of three words or more; `…` stands for a value. */
function quotedMessages(): string[] {
  const page = readFileSync(join(root, 'docs/operation.md'), 'utf8');
  const rows = page.slice(page.indexOf('### What the server says')).match(/^\| .*$/gm) ?? [];
  const quotes = rows.flatMap((row) =>
    [...(row.split(' | ')[0] ?? '').matchAll(/`([^`]+)`/g)].map(([, text = '']) => text),
  );
  return quotes.filter((text) => text.split(' ').length >= 3 && !text.startsWith('flwd '));
}

/** The sources as one text, with literals that were split over several lines joined again. */
function sourceTexts(): string {
  const paths = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((path) =>
    /\.tsx?$/.test(path),
  );
  const whole = paths.map((path) => readFileSync(join(root, 'src', path), 'utf8')).join('\n');
  return whole.replaceAll(/['`]\s*\+\s*['`]/g, '').replaceAll(/\$\{[^}]*\}/g, '…');
}
