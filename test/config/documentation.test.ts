import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { commandLinePage, configurationPage, problemsPage } from '../../docs/generate.ts';

const page = (name: string) => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');

test('docs/configuration.md lists every key as it is; `npm run docs` brings it up to date', () => {
  expect(page('configuration.md')).toBe(configurationPage());
});

test('docs/problems.md lists every problem as it is; `npm run docs` brings it up to date', () => {
  expect(page('problems.md')).toBe(problemsPage());
});

test('docs/cli.md has every command, option and exit code as they are; `npm run docs` brings it up to date', () => {
  expect(page('cli.md')).toBe(commandLinePage());
});
