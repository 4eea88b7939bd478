import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { commandLinePage, configurationPage, problemsPage, skillModule } from '../../docs/generate.ts';

const page = (name: string) => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');

test('docs/configuration.md is up to date; run `npm run docs`', () => {
  expect(page('configuration.md')).toBe(configurationPage());
});

test('docs/problems.md is up to date; run `npm run docs`', () => {
  expect(page('problems.md')).toBe(problemsPage());
});

test('src/mcp/skill.ts has the skill of docs/skill/SKILL.md; run `npm run docs`', () => {
  expect(page('../src/mcp/skill.ts')).toBe(skillModule());
});

test('docs/cli.md is up to date; run `npm run docs`', () => {
  expect(page('cli.md')).toBe(commandLinePage());
});
