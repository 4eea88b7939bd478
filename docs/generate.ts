// Writes the pages that are generated from tables in the code: docs/cli.md, docs/configuration.md and docs/problems.md.
// Also writes the skill for agents into the code, from docs/skill/SKILL.md.

import { readFileSync, writeFileSync } from 'node:fs';
import { type Key, keys } from '../src/config/keys.ts';
import { keyPaths } from '../src/config/shape.ts';
import { problems, problemType } from '../src/domain/problem.ts';
import { cliPage } from './cli-page.ts';

export function configurationPage(): string {
  const sections = Map.groupBy(keyPaths, (path) => path.split(/[.[]/, 1)[0] ?? '');
  const tables = [...sections].map(([section, paths]) => {
    const heading = paths[0]?.startsWith(`${section}[]`) ? `${section}[]` : section;
    const rows = paths.map((path) => {
      const key: Key = keys[path];
      return row(`\`${path.slice(heading.length + 1)}\``, key.kind.name, defaultOf(key), describe(key));
    });
    return `## ${heading}\n\n${row('key', 'value', 'default', 'what it is for')}${row('---', '---', '---', '---')}${rows.join('')}`;
  });
  return `${configurationIntroduction}\n${tables.join('\n')}`;
}

const configurationIntroduction = `# Configuration

<!-- Made by \`npm run docs\` from src/config/keys.ts. -->

Write what differs from the defaults into \`flwd.yaml\`:

\`\`\`yaml
server:
  bind: 127.0.0.1:9000
sources:
  - name: ops
    path: /srv/ops/jobs
scheduler:
  timezone: Europe/Berlin
\`\`\`

\`\`\`sh
flwd config validate --config FILE   # every error, with file, line and column
flwd config show                     # every setting in force, and where it comes from
\`\`\`

flwd reads the first of these files that exists: \`--config FILE\`, \`./flwd.yaml\`, \`~/.config/flwd/flwd.yaml\`,
\`/etc/flwd/flwd.yaml\`. Without a file, the defaults apply.

Without \`sources\`, there is one source, \`local-fs\`. It is the folder \`jobs\` next to the file or, without a file, in the
current folder. If this folder does not exist, the source is the folder in which flwd looked for \`jobs\`, unless the
configured \`instance.data_dir\` is in that folder.

If the folder of a source does not exist, perhaps because it is mounted later, the server starts without its jobs, and
finds them once the folder is there. Until then, \`/health\` says \`degraded\` for the check \`sources\`. Only a folder that
\`--jobs\` names must exist.

\`flwd config validate\` also checks the keys and certificates that the file names, so run it as the server's user.

- **Who may write to the file.** If flwd finds the file without \`--config\`, the file and any link to it must belong to
  the current user or root, and nobody else may have write permission. (A group whose id equals the owner's user id may
  have it.) Otherwise flwd exits and says so: fix it with \`chown\` or \`chmod go-w\`, or name the file with \`--config\`.
  flwd always accepts a file that \`--config\` names, and warns if others can write to it.
- **Variables.** \`FLWD_<SECTION>_<KEY>\` overrides a key, with \`_\` for every dot: \`FLWD_SERVER_BIND\`,
  \`FLWD_SECURITY_PROFILES_SECURE_RATE_LIMIT_LIMIT\`. The older prefix \`FLOWD_\` and the short names \`FLWD_DATA_DIR\`,
  \`FLWD_LOG_LEVEL\` and \`FLWD_PROFILE\` work, too. Separate the items of a list with commas, and write a map as
  \`name=value,name=value\`. An empty variable counts as not set. \`remotes\`, \`notify.channels\` and the
  items of \`sources\`, \`aliases\` and \`notify.rules\` cannot be set by variables.
- **Options.** \`--bind\`, \`--data-dir\`, \`--jobs\` (replaces all sources), \`--profile\` and \`--log\` override the file and
  the variables.
- **Paths.** A relative path in the file starts at the file's folder; in a variable or an option it starts at the
  current folder. \`~/\` is the home of the user that runs flwd. \`~name/\` is refused.
- **Units.** A duration is \`250ms\`, \`30s\`, \`1h30m\` or \`7d\`; where \`never\` is allowed, it means that there is no limit. A
  size is \`512\` (bytes), \`64KiB\`, \`10MB\` or \`1GiB\`.
- **Other spellings.** You can use a file that was written for another implementation of flwd. If a line cannot keep its
  meaning, flwd refuses it and says what to write instead ([guide](guides/other-spellings.md)). \`flwd config validate\`
  and \`flwd serve\` name the lines that flwd accepts but only partly follows.
- **Not yet.** flwd knows the keys marked *not yet*, but this version accepts only their defaults.
`;

export function problemsPage(): string {
  const rows = Object.entries(problems).map(([slug, { status, title, cause, fix }]) =>
    row(`\`${slug}\``, String(status), title, cause, fix),
  );
  return `# Problems

<!-- Made by \`npm run docs\` from src/domain/problem.ts. -->

You got an error from the API and want to know what to do. Its \`type\` is
\`${problemType('job-not-found').replace('job-not-found', '<name>')}\`: find this name in the table.

Every error is \`application/problem+json\` (RFC 9457). It has the members \`type\`, \`title\`, \`status\`, \`detail\` and
\`instance\`; some errors have more, such as \`errors\`. Programs should branch on \`type\`, not on the words of \`detail\`.

${row('name', 'status', 'title', 'cause', 'fix')}${row('---', '---', '---', '---', '---')}${rows.join('')}`;
}

function describe({ about, notYet, isRequired, sourceTypes }: Key): string {
  const notes = [
    isRequired ? 'required' : '',
    sourceTypes ? `${sourceTypes.join(' and ')} only` : '',
    notYet ? `*not yet*: ${notYet}` : '',
  ].filter(Boolean);
  return notes.length > 0 ? `${about} (${notes.join('; ')})` : about;
}

function defaultOf({ default: value, defaultText }: Key): string {
  if (defaultText) return defaultText;
  if (value === null) return '–';
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
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
