// Writes docs/cli.md from the tables of commands.

import { type Command, instance, type Option, printing } from '../src/cli/command.ts';
import { commandSections } from '../src/cli/commands.ts';
import { exitCodeMeanings, exitCodes } from '../src/cli/exit-code.ts';
import { sentenceOf, usageOf, written } from '../src/cli/help.ts';

export function cliPage(row: (...cells: readonly string[]) => string): string {
  const optionTable = (options: readonly Option[]): string =>
    row('option', 'meaning') +
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
    '## Output\n',
    printingText,
    optionTable(printing),
    '## Exit codes\n',
    `${row('code', 'meaning')}${row('---', '---')}${codes.join('')}`,
    ...sections,
  ].join('\n');
}

const sets = [
  { options: printing, link: '[output](#output)' },
  { options: instance, link: '[the instance](#which-instance)' },
];

/** Options that the page describes once for all commands. */
function sharedBy(options: readonly Option[]): readonly Option[] {
  return sets.flatMap((set) => (hasAll(options, set.options) ? set.options : []));
}

function sharedNote(options: readonly Option[]): string | undefined {
  const links = sets.flatMap((set) => (hasAll(options, set.options) ? [set.link] : []));
  return links.length > 0 ? `Also takes the options for ${links.join(' and ')}.\n` : undefined;
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

\`flwd help\` lists all commands, \`flwd COMMAND --help\` prints the options of a command, and \`flwd JOB --help\` prints the
arguments of a job.

## Run a job

\`\`\`sh
flwd run backup/daily --target /srv --keep.days 7   # the job's id, then its arguments as options
flwd backup/daily --target /srv                     # the same without \`run\`
flwd backup daily --target /srv                     # the same with spaces for the slashes
\`\`\`

- If a word is both a command and a job, it means the command: \`flwd runs\`. To run a job of that name, write
  \`flwd run runs\`. With a colon, the word always means the command: \`flwd :runs\`.
- \`backup\` is the exception: \`flwd backup daily\` runs the job \`backup/daily\` if there is one. Otherwise it writes a
  backup into the folder \`daily\`. \`flwd :backup daily\` always writes a backup.
- The option of a nested argument is its path: \`--keep.days 7\` or \`--keep.days=7\`. A boolean needs no value, and
  \`--no-\` before its name makes it false. For a list, repeat the option once for each item, or give the whole list as
  one JSON array: \`--hosts '["a", "b"]'\`, or \`--hosts '[]'\` for an empty one.
- Options before the job's name belong to flwd. Every word after \`--\` belongs to the job:
  \`flwd run --json deploy -- --config prod\`. After the job's name, flwd refuses an option that both flwd and the job
  have. To give it to the job, write \`--args.config\`; the job's help shows this form.
- If several arguments are wrong, flwd lists all of them, one per line.
- Other users of the machine can read command lines. If the value of a secret is on the command line, flwd prints a
  warning and still runs the job. To keep the value of the argument \`token\` off the command line, use
  \`--token.file FILE\` (\`-\` reads standard input), \`--token.env NAME\` for an environment variable, or
  \`--token.stored NAME\` for a secret that \`flwd secrets set\` has stored. flwd refuses \`--token secret:NAME\`, because
  you probably mean a stored secret. If the secret is the text \`secret:NAME\` itself, use \`--token.file\` or
  \`--token.env\`. If a required secret is missing, flwd asks for it at a terminal. \`flwd plan\` does not ask: it shows
  the plan, names the missing secrets and exits with 2.
- \`--args\` and \`--args-file\` give all arguments at once. Options override them.
- \`flwd rerun RUN\` takes changed arguments in the same way: \`flwd rerun run_01… --target /srv\`. Everything else
  stays as it was in that run, including the other parts of a nested argument and the secrets. If you change an argument
  of a run that another caller started, you must also give the secrets that the caller gave as text.

## Which instance

A command uses the first of these that applies:

1. **Another server**: \`--remote NAME\` or \`FLWD_REMOTE\`, either a name under \`remotes\` in flwd.yaml or an address. For
   a name, the token comes from the \`token_file\` of the remote, or from \`FLWD_TOKEN\` if the remote has no \`token_file\`.
   For an address, it comes from \`FLWD_TOKEN\`. If \`FLWD_REMOTE\` is set and \`--remote\` names another address, flwd does
   not send \`FLWD_TOKEN\` to that address. For a private CA, set the remote's \`ca_file\`
   ([install](install.md#use-a-private-ca)).
2. **The running server of the data dir** (\`--data-dir\`, else \`instance.data_dir\`). The server treats the command as the
   server's own user, whatever \`auth.mode\` says.
3. **No server**: the command starts a temporary instance, which ends with the command. This instance runs what the
   command starts, and resumes the runs that the command waits for. It runs no schedules and removes no data. Other
   commands can use the instance at the same time. When the first command ends, one of the others takes over.

If the data dir does not exist, \`flwd run\`, \`flwd plan\`, \`flwd tui\`, \`flwd mcp\`, \`flwd kv set\`, \`flwd tokens create\`
and \`flwd secrets set\` create it. \`flwd jobs\`, \`flwd sources\` and the help of a job do not need it. Every other
command that needs an instance exits with 3.

To name a run, give its id, or the beginning or end of its id: at least 8 characters, and enough that no other run
matches. Commands that only read also take a job and use its last run: \`flwd logs backup/daily\`.

A running server keeps the sources that it was started with. \`--jobs\` and the flwd.yaml of the current folder do not
change them; \`flwd sources\` lists them. \`flwd backup\`, \`flwd restore\` and \`flwd audit verify\` work on the files of the
data dir, so they refuse to run while \`FLWD_REMOTE\` is set.
`;

const printingText = `Data goes to standard output, everything else to standard error. \`flwd logs\` prints the whole log
to standard output, including what the script wrote to standard error, so \`flwd logs RUN | grep Error\` searches every
line. \`flwd run\` prints each line to the stream that the script used.

At a terminal, tables fit its width, times are relative, and text has colours unless \`NO_COLOR\` is set. In a pipe, times
are RFC 3339 and nothing is cut. With \`--json\`, commands print the API's answers: a list as one object with all pages, a
stream as one object per line. Commands that only remove something print no JSON.

\`flwd compare --json\` prints one object with these members. \`a\` belongs to the older run and \`b\` to the newer one.

| member | meaning |
| --- | --- |
| \`a\`, \`b\` | the ids of the runs |
| \`facts\` | what is known about each run: \`job_id\`, \`created_at\`, \`revision\`, \`source\`, \`status\`, \`reason\`, \`worked_ms\`, \`created_by\`, \`profile\`, \`labels\` |
| \`arguments\` | all arguments: \`name\`, the values \`a\` and \`b\` as text, and \`is_secret\` if both values are secrets, which flwd does not compare |
| \`steps\` | all steps: \`step_id\`, and \`a\` and \`b\`, each with \`status\` and \`took_ms\`, or null if the run has no such step |
| \`log\` | an object whose \`kind\` is \`line\`, \`same\` or \`unknown\`; \`log\` is null if the logs cannot be read. With \`line\`, \`a\` and \`b\` are the first lines that differ, and \`step_id\` is their step. With \`unknown\`, flwd has compared only the first lines of the logs, which do not differ; \`lines\` is their number |
| \`files\` | the files that changed; null if the files cannot be read. Each has \`path\`, \`change\` (\`added\`, \`removed\` or \`changed\`), and the texts \`a\` and \`b\`. The texts are null beyond the first 30 files, and for files that are not text or larger than 1 MiB |

The time that a run took does not include the time in which it waited for approvals. \`flwd runs RUN\` and the end of
\`flwd run\` show both times. While a run waits for an approval, flwd shows the time since the run started, including
the wait. The console counts in the same way, but its list of runs shows only how long such a run has waited. For a run
in progress, \`flwd runs\` says how long it has taken so far, and how much is probably left.
`;
