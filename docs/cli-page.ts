// The text of docs/cli.md, from the tables of commands.

import { type Command, instance, type Option, printing } from '../src/cli/command.ts';
import { commandSections } from '../src/cli/commands.ts';
import { exitCodeMeanings, exitCodes } from '../src/cli/exit-code.ts';
import { sentenceOf, usageOf, written } from '../src/cli/help.ts';

export function cliPage(row: (...cells: readonly string[]) => string): string {
  const optionTable = (options: readonly Option[]): string =>
    row('option', 'what it is for') +
    row('---', '---') +
    options.map((option) => row(`\`${written(option)}\``, aboutOf(option))).join('');

  const commandText = (command: Command): string => {
    const { name, options, examples } = command;
    const own = options.filter((option) => !sharedBy(options).includes(option));
    const parts = [`### flwd ${name}\n`, `${sentenceOf(command)}\n`, fence([usageOf(command)])];
    if (own.length > 0) parts.push(optionTable(own));
    const shared = sharedNote(options);
    if (shared) parts.push(shared);
    if (examples) parts.push(fence(examples));
    return parts.join('\n');
  };

  const sections = commandSections.map(([title, commands]) =>
    [`## ${title}\n`, ...commands.map(commandText)].join('\n'),
  );
  const codes = Object.entries(exitCodes).map(([name, code]) => row(String(code), meaningOf(name)));
  return [
    introduction,
    optionTable(instance),
    '## What is printed\n',
    printingText,
    optionTable(printing),
    '## Exit codes\n',
    `${row('code', 'meaning')}${row('---', '---')}${codes.join('')}`,
    ...sections,
  ].join('\n');
}

const sets = [
  { options: printing, link: '[how to print](#what-is-printed)' },
  { options: instance, link: '[the instance](#which-instance)' },
];

/** Described once for all commands: only where the whole set is there. */
function sharedBy(options: readonly Option[]): readonly Option[] {
  return sets.flatMap((set) => (hasAll(options, set.options) ? set.options : []));
}

function sharedNote(options: readonly Option[]): string | undefined {
  const links = sets.flatMap((set) => (hasAll(options, set.options) ? [set.link] : []));
  return links.length > 0 ? `Besides, the options for ${links.join(' and for ')}.\n` : undefined;
}

function hasAll(options: readonly Option[], wanted: readonly Option[]): boolean {
  return wanted.every((option) => options.includes(option));
}

function aboutOf({ about, isRepeatable }: Option): string {
  return isRepeatable && !about.includes('repeatable') ? `${about}; repeatable` : about;
}

function meaningOf(name: string): string {
  const [, meaning = ''] = Object.entries(exitCodeMeanings).find(([key]) => key === name) ?? [];
  return meaning;
}

function fence(lines: readonly string[]): string {
  return `\`\`\`sh\n${lines.join('\n')}\n\`\`\`\n`;
}

const introduction = `# The command line

<!-- Made by \`npm run docs\` from src/cli/commands.ts. -->

\`flwd help\` lists the commands, \`flwd COMMAND --help\` says all of one, \`flwd JOB --help\` what a job takes.

## Calling a job

\`\`\`sh
flwd run backup/daily --target /srv --keep.days 7   # a job by its id, its arguments as options
flwd backup/daily --target /srv                     # without \`run\` it is the same
flwd backup daily --target /srv                     # and so with spaces for the slashes
\`\`\`

- A word that is a command is the command: \`flwd runs\`. With a colon before it it is never anything else: \`:runs\`. A job of that name is called
  by \`flwd run runs\`.
- \`backup\` is likely to be a namespace of jobs, too: \`flwd backup daily\` is the job \`backup/daily\` where there is one, else a backup into the
  folder \`daily\`. \`flwd :backup daily\` is always the latter.
- An argument is an option with its path: \`--keep.days 7\`, \`--keep.days=7\`. A boolean stands alone, or with \`--no-\` before it. A list takes its option
  once for each item, or JSON.
- Options before the job's name are flwd's, and every word after \`--\` is the job's: \`flwd run --json deploy -- --config prod\`. After the job's
  name, flwd refuses an option that the job also has as an argument. Write \`--args.config\` there, as the job's help does.
- If several arguments are wrong, the command names all of them, one a line, as the API does.
- A secret has no place on a command line, where others on the machine read it: \`--token.file FILE\` (\`-\` for standard input), \`--token.env NAME\`,
  \`--token.stored NAME\` for one that \`flwd secrets set\` has stored. At a terminal flwd asks for one that is needed and not given.
- \`--args\` and \`--args-file\` give all arguments at once; options are laid over them.

## Which instance

The first of these that there is:

1. \`--remote NAME\`, or \`FLWD_REMOTE\`: a server elsewhere, by its name under \`remotes\` in flwd.yaml or by its address. Its token is in \`token_file\` of the
   remote; without one, and for an address, it is \`FLWD_TOKEN\`. A token that is set beside \`FLWD_REMOTE\` is not sent to another address that
   \`--remote\` names. The remote's \`ca_file\` names a private CA ([install](install.md#use-a-private-ca)).
2. The server that has the data dir (\`--data-dir\`, else \`instance.data_dir\`): asked as its own user, whatever \`auth.mode\` says.
3. None: the command is an instance itself for as long as it takes. It runs its own run and takes up the runs that it is asked for; it fires no
   schedule and removes nothing by itself. Other commands use it meanwhile. When it ends, one of
   them takes its place, and their runs go on.

Where there is no data dir yet, \`flwd run\`, \`flwd plan\`, \`flwd tokens create\` and \`flwd secrets set\` make one; \`flwd jobs\` and the help of a job
need none. Every other command that asks an instance says that there is none, and ends with 3.

A run is named by its id, by a part of it that no other of the newest 1,000 runs shares (8 letters or more of its beginning or its end), or, where nothing is
ended or decided by it, by a job: \`flwd logs backup/daily\` is about its last run.

A server has the sources that it was started with: \`--jobs\` of another command, and the sources in the flwd.yaml of the current folder, change nothing
about what it runs. \`flwd sources\` says where its jobs come from. \`flwd backup\`, \`restore\` and \`audit verify\` work on the data dir itself, and are refused
where \`FLWD_REMOTE\` is set.
`;

const printingText = `Data goes to standard output, everything else to standard error. For \`flwd logs\` the whole log is data: lines that the script wrote
to its standard error are printed on standard output, too, so that \`flwd logs RUN | grep Error\` finds them. \`flwd run\` prints each line to the stream
that the script wrote it to. At a terminal tables fit its width, times are relative, and there is colour unless
\`NO_COLOR\` is set; piped, times are RFC 3339 and nothing is cut. With \`--json\` the command prints what the API answers: of a list the API's object
with all its pages in one, of a stream an object a line. What only removes something answers nothing.
`;
