// Writes the pages that are made from tables in the code: docs/cli.md, docs/configuration.md
// and docs/problems.md.

import { writeFileSync } from 'node:fs';
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

flwd reads the first of \`--config FILE\`, \`./flwd.yaml\`, \`~/.config/flwd/flwd.yaml\` and \`/etc/flwd/flwd.yaml\`. Without any, the
defaults hold. Without \`sources\` the one source, \`local-fs\`, is the folder \`jobs\` beside the file (or in the current folder), or
that folder itself where it has no \`jobs\`.

- One that was found, not named by \`--config\`, must be this user's or root's, and writable by nobody else (a group with the number of its owner is
  the owner's own); a link to it must be, too. Else flwd ends and says so: mend it with \`chown\` or \`chmod go-w\`, or name it. One that was named is taken,
  with a warning where others can write it.
- \`flwd config validate\` says everything that is wrong with it, with file, line and column, and with the keys and certificates that it names; run it as
  the server's user. \`flwd config show\` prints every setting in force and where it comes from.
- \`FLWD_<SECTION>_<KEY>\` overrides a key, with \`_\` for every dot: \`FLWD_SERVER_BIND\`,
  \`FLWD_SECURITY_PROFILES_SECURE_RATE_LIMIT_LIMIT\`. The older \`FLOWD_\` works too. Lists are written with commas, maps as
  \`name=value,name=value\`. An empty variable counts as none. Items of \`sources\` and \`aliases\`, and \`remotes\`, have no variables.
- \`--bind\`, \`--data-dir\`, \`--jobs\` (in place of all sources), \`--profile\` and \`--log\` override both.
- A relative path starts at the folder of the file it stands in, in a variable or an option at the current folder; \`~/\` is the home of the
  user that flwd runs as. \`~name/\` is refused.
- A duration is \`250ms\`, \`30s\`, \`1h30m\`, \`7d\`; a size \`512\` (bytes), \`64KiB\`, \`10MB\`, \`1GiB\`.
- \`never\`, where it may stand for a duration, keeps for ever.
- Keys marked *not yet* are read and checked; another value than the default is refused until the version that acts on it.
`;

export function problemsPage(): string {
  const rows = Object.entries(problems).map(([slug, { status, title, cause, fix }]) =>
    row(`\`${slug}\``, String(status), title, cause, fix),
  );
  return `# Problems

<!-- Made by \`npm run docs\` from src/domain/problem.ts. -->

Every error is \`application/problem+json\` (RFC 9457): \`type\`, \`title\`, \`status\`, \`detail\`, \`instance\`, and what the problem adds,
such as \`errors\`. \`type\` is \`${problemType('job-not-found').replace('job-not-found', '<name>')}\`; branch on it, not on the words of \`detail\`.

${row('name', 'status', 'title', 'cause', 'cure')}${row('---', '---', '---', '---', '---')}${rows.join('')}`;
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

if (import.meta.main) {
  writeFileSync(new URL('cli.md', import.meta.url), commandLinePage());
  writeFileSync(new URL('configuration.md', import.meta.url), configurationPage());
  writeFileSync(new URL('problems.md', import.meta.url), problemsPage());
}
