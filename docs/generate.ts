// Writes the pages that are generated from tables in the code: docs/cli.md, docs/configuration.md and docs/problems.md.
// Also writes the skill for agents into the code, from docs/skill/SKILL.md.

import { readFileSync, writeFileSync } from 'node:fs';
import { problems, problemType } from '../src/domain/problem.ts';
import { cliPage } from './cli-page.ts';
import { configPage } from './config-page.ts';

export function configurationPage(): string {
  return configPage(row);
}

export function problemsPage(): string {
  const rows = Object.entries(problems).map(([slug, { status, title, cause, fix }]) =>
    row(`\`${slug}\``, String(status), title, cause, fix),
  );
  return `# Problems

<!-- Made by \`npm run docs\` from src/domain/problem.ts. -->

This page says what to do when the API answers with an error. The \`type\` of the error is
\`${problemType('job-not-found').replace('job-not-found', '<name>')}\`. Find \`<name>\` in the table.

Every error has the media type \`application/problem+json\` (RFC 9457) and the members \`type\`, \`title\`, \`status\`,
\`detail\` and \`instance\`. Some errors have more members, such as \`errors\`. Programs should branch on \`type\`, and not
on the words of \`detail\`.

${row('name', 'status', 'title', 'cause', 'fix')}${row('---', '---', '---', '---', '---')}${rows.join('')}`;
}

function row(...cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`;
}

export function commandLinePage(): string {
  return cliPage(row);
}

/** Code with the text of docs/skill/SKILL.md, so that every form in which flwd is installed has it. */
export function skillModule(): string {
  const skill = readFileSync(new URL('skill/SKILL.md', import.meta.url), 'utf8');
  return `// The skill that teaches an agent to write, plan and test a job. \`npm run docs\` makes this file from
// docs/skill/SKILL.md.

export const skillText = \`${skill.replaceAll(/[\\`]|\$\{/g, (found) => `\\${found}`)}\`;
`;
}

if (import.meta.main) {
  writeFileSync(new URL('../src/mcp/skill.ts', import.meta.url), skillModule());
  writeFileSync(new URL('cli.md', import.meta.url), commandLinePage());
  writeFileSync(new URL('configuration.md', import.meta.url), configurationPage());
  writeFileSync(new URL('problems.md', import.meta.url), problemsPage());
}
