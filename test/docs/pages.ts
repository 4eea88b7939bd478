// The pages of the repository and their code blocks.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const root = join(import.meta.dirname, '../..');

export const pages: readonly string[] = [
  'README.md',
  'SECURITY.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];

export type Block = {
  readonly language: string;
  /** What follows the language, invisible to readers: ```` ```sh fails ````. */
  readonly mark: string;
  readonly text: string;
  /** Where the block begins, such as `README.md:12`. */
  readonly place: string;
};

export function read(page: string): string {
  return readFileSync(join(root, page), 'utf8');
}

export function blocksOf(page: string): Block[] {
  const text = read(page);
  return [...text.matchAll(/^```(\w+)(?: (\S+))?\n(.*?)^```$/gms)].map((match) => ({
    language: match[1] ?? '',
    mark: match[2] ?? '',
    text: match[3] ?? '',
    place: `${page}:${text.slice(0, match.index).split('\n').length}`,
  }));
}
