// Turns a line of a crontab into a job: the same command for the same shell, with the variables that it had under cron.

import { existsSync, realpathSync } from 'node:fs';
import { basename, isAbsolute, join } from 'node:path';
import { parseCron, shortestGapMs } from '../../lib/cron/cron.ts';
import { shellWord } from '../../lib/shell-word.ts';
import { systemPath } from '../../lib/system-path.ts';
import { isTimezone } from '../../lib/timezone.ts';
import { quotingOf } from '../init/shell-quotes.ts';
import { ownName } from '../own-name.ts';
import { nameOf } from './command-name.ts';
import type { TableLine } from './crontab-table.ts';
import { readTimes } from './crontab-times.ts';
import type { Found, Origin } from './found-job.ts';
import { holdsSecret, withoutSecrets } from './secret-text.ts';

export type Table = {
  /** For example `the crontab of ada` or `/etc/cron.d/certs`. */
  readonly place: string;
  /** The user of all lines that do not name one. */
  readonly user: string;
  readonly homeOf: (user: string) => string | null;
  /** The time zone of the host. */
  readonly timezone: string;
};

type Entry = Extract<TableLine, { kind: 'entry' }>;

/** Variables with a meaning for cron. The job does not get them as variables. */
const ofCron =
  /^(?:SHELL|HOME|MAILTO|MAILFROM|CRON_TZ|RANDOM_DELAY|LOGNAME|USER|CONTENT_TYPE|CONTENT_TRANSFER_ENCODING)$/;

export function jobOfLine(line: TableLine, table: Table): Found {
  const origin: Origin = { kind: 'crontab', place: table.place, line: line.line, text: line.text };
  if (line.kind === 'broken') return { kind: 'nothing', origin, obstacles: [`${line.reason}, so cron cannot run it`] };
  const { environment, command } = line;
  const times = readTimes(line.times);
  const { SHELL: shell = '/bin/sh', CRON_TZ: timezone = table.timezone } = environment;
  const obstacles = obstaclesOf(line, { table, shell, timezone });
  if ('problem' in times) return { kind: 'nothing', origin, obstacles: [times.problem, ...obstacles] };
  if (obstacles.length > 0) return { kind: 'nothing', origin, obstacles };
  const user = line.user ?? table.user;
  const home = environment.HOME ?? table.homeOf(user);
  const logging = logOf(command);
  const notes = [
    ...noteOfLog(logging),
    ...notesOfShell(command, shell),
    ...noteOfBackground(command),
    ...noteOfCondition(command),
    ...notesOf(line, times.cron, home),
  ];
  const delay = delayOf(environment.RANDOM_DELAY, times.cron, timezone);
  if (delay.note !== undefined) notes.push(delay.note);
  const isShell = /\/(?:ba|da|z|k|mk|a)?sh$/.test(shell);
  return {
    kind: 'job',
    name: nameOf(withoutSecrets(command)),
    origin,
    program: {
      file: 'command.sh',
      text: scriptOf(line, { shell, home, isShell }),
      interpreter: [shell],
      isShell,
      logging,
    },
    environment: variablesOf(line, { user, home }),
    schedules: [
      { cron: times.cron, timezone, ...(delay.jitter !== undefined && { settings: { jitter: delay.jitter } }) },
    ],
    user,
    home,
    arguments: [],
    settings: {},
    notes,
  };
}

/** Everything that keeps a line from becoming a job, except its times. */
function obstaclesOf(
  line: Entry,
  { table, shell, timezone }: { readonly table: Table; readonly shell: string; readonly timezone: string },
): string[] {
  const { command, input } = line;
  const word = strayUser(line, table);
  return [
    ...(/(?:^|[\s;&|(/{])run-parts\s/.test(command)
      ? [`run-parts starts every script in a folder: turn each into a job with ${ownName} init --from SCRIPT`]
      : []),
    ...(!isAbsolute(shell) || /\s/.test(shell) ? [`SHELL is \`${shell}\`, which is not the path of a program`] : []),
    ...(isTimezone(timezone) ? [] : [`CRON_TZ is \`${timezone}\`, which is not the name of a time zone`]),
    ...(word === undefined
      ? []
      : [
          `this crontab names no users, so cron takes \`${word}\` for a program: remove the word, or add --system if the file is a system crontab`,
        ]),
    ...(input !== null && holdsSecret(input) ? ['what follows the % seems to contain a password'] : []),
    ...(input !== null && withoutSecrets(command).endsWith('…')
      ? ['cron ends the command at the % in what looks like a password: write \\% instead']
      : []),
  ];
}

function variablesOf({ environment, command }: Entry, o: { readonly user: string; readonly home: string | null }) {
  const path = pathOf({ environment }, o.home);
  const own = Object.entries({ ...environment, ...(path !== undefined && { PATH: path }) }).filter(
    ([name]) => !ofCron.test(name),
  );
  const usesHome = /(?:^|[\s"'=:(;&|<>])~(?:[/\s]|$)|\$\{?HOME\b/.test(command) || environment.HOME !== undefined;
  const named = /\$\{?(LOGNAME|USER)\b/.exec(command)?.[1];
  return {
    ...(usesHome && o.home !== null && { HOME: o.home }),
    ...(named !== undefined && { [named]: o.user }),
    ...Object.fromEntries(own),
  };
}

function scriptOf(
  { command, input }: Entry,
  o: { readonly shell: string; readonly home: string | null; readonly isShell: boolean },
): string {
  const lines = [
    ...(o.isShell && o.home !== null && startsSomewhere(command, o.home) ? [`cd ${shellWord(o.home)} || exit`] : []),
    ...(input === null ? [] : [hereDocument(input)]),
    command,
  ];
  return `#!${o.shell}\n${lines.join('\n')}\n`;
}

/**
 * Returns lines to put before the command. They redirect standard input with `exec`, so that every program in the
 * command's line reads this input.
 */
function hereDocument(input: string): string {
  let end = 'END';
  while (input.split('\n').includes(end)) end += '_';
  return `exec <<'${end}'\n${input}${end}`;
}

/** Endings of files, which a word such as `example.com` does not have. */
const fileEnding =
  'bak|bash|bz2|cfg|cnf|conf|csv|db|env|gpg|gz|html?|ini|jar|jpe?g|js|json|key|lock|log|md|mjs|pdf|pem|php|pid|pl|png|py|rb|sh|sql|sqlite3?|tar|tgz|toml|ts|tsv|txt|xlsx?|xml|xz|ya?ml|zip|zst';
const relativePath = new RegExp(
  [
    String.raw`(?<=^|[\s;&|(<>])(?:\.{1,2}\/|[\w.-]+\/[\w.])`,
    // Neither `<<END` nor `<<<word` names a file.
    String.raw`(?<!<)[<>]\s*(?=[\w.])(?!\d)`,
    String.raw`(?<=[^\s;&|(] )[\w.-]*\*\.\w+(?=[\s;&|)<>]|$)`,
    String.raw`(?<=(?:^|[\s;&|(])(?:cd|(?:ba|da|z|k)?sh|python[\d.]*|perl|php|ruby|node) )[\w.]`,
    String.raw`(?<=[^\s;&|(] |=)(["']?)\w[\w.-]*\.(?:${fileEnding})\1(?=[\s;&|)<>]|$)`,
  ].join('|'),
  'g',
);

/** The command names a file without a full path, so it depends on the folder in which cron starts it. */
function startsSomewhere(written: string, home: string): boolean {
  // With one space between words, the patterns need not look back over any number of spaces.
  const command = written.replaceAll(/\s+/g, ' ');
  if (/^cd\s+["']?(?:[/~]|\$HOME\b)/.test(command)) return false;
  const quoting = quotingOf(command);
  const isPlain = ({ index }: { readonly index: number }): boolean => quoting[index] === 'plain';
  return (
    [...command.matchAll(relativePath)].some(isPlain) ||
    [...command.matchAll(/(?<=[^\s;&|(] )\w[\w.-]*(?=[\s;&|)<>]|$)/g)].some(
      (word) => isPlain(word) && existsSync(join(home, word[0])),
    )
  );
}

/** Returns PATH with the home of the user in place of `~`. */
function pathOf({ environment: { PATH: path } }: Pick<Entry, 'environment'>, home: string | null): string | undefined {
  return home === null ? path : path?.replaceAll(/(?<=^|:)~(?=[/:]|$)/g, () => home);
}

/** If a command begins with the name of a user, returns the name. It belongs only in a system crontab. */
function strayUser({ user, command, environment }: Entry, table: Table): string | undefined {
  const [first = '', second] = command.split(/\s+/);
  if (user !== null || second === undefined || ![table.user, 'root'].includes(first)) return undefined;
  const folders = (environment.PATH ?? systemPath).split(':');
  return folders.some((folder) => existsSync(join(folder, first))) ? undefined : first;
}

function notesOf({ environment, times, endsWithReturn }: Entry, cron: string, home: string | null): string[] {
  const { MAILTO: mailTo = '', CRON_TZ: zone } = environment;
  return [
    ...(mailTo === '' ? [] : [noteOfMail(mailTo)]),
    ...(pathOf({ environment }, home) === environment.PATH
      ? []
      : [`~ in PATH became ${home}, because most shells do not expand it there`]),
    ...(zone === undefined ? [] : [`CRON_TZ=${zone} is kept; Debian's cron ignores it and uses the zone of the host`]),
    ...(cron === '@boot'
      ? [
          'cron starts the line once per boot of the machine, so its pattern is @boot; in flwd, @reboot means each start of the server',
        ]
      : []),
    ...(times[0]?.startsWith('-') ? ['the - at the beginning kept cron from logging the line'] : []),
    ...(endsWithReturn ? ['the line ends as on Windows; the job gets it without the carriage return'] : []),
  ];
}

/** Returns the end of a command that sends all its output to a file: `>> ~/backup.log 2>&1`. */
function logOf(command: string): string | undefined {
  const word = /(?:"[^"]*"|'[^']*'|`[^`]*`|\$\([^()]*\)|[^\s"'`;&|<>()])+/.source;
  return new RegExp(`(?:(?:(?<![\\d>&])|(?<!\\S)1)>>?\\s*${word}\\s+2>&1|&>>?\\s*${word})$`).exec(
    command.trimEnd(),
  )?.[0];
}

/** These shells read `&>` as a redirection of all output. /bin/sh may be a link to one of them. */
const redirectsAll = /^(?:bash|zsh|mksh|busybox)$/;

function notesOfShell(command: string, shell: string): string[] {
  const quoting = quotingOf(command);
  const isUsed = [...command.matchAll(/&>/g)].some(({ index }) => quoting[index] === 'plain');
  if (!isUsed || redirectsAll.test(basename(realPathOf(shell)))) return [];
  return [
    `${shell} reads \`&>\` as \`&\` and \`>\`, so it starts the command in the background, and its output does not go to ` +
      'the file. The run ends first, and flwd then stops the command: in command.sh, remove `&> FILE`, or write `> FILE 2>&1`',
  ];
}

function noteOfBackground(command: string): string[] {
  const end = command.trimEnd().length - 1;
  if (!/(?<![&\\])&\s*$/.test(command) || quotingOf(command)[end] !== 'plain') return [];
  return [
    'the `&` at the end starts the command in the background. The run then ends at once, and flwd stops the command: remove the `&` from command.sh',
  ];
}

/** `[ … ] && backup` ends with the exit code 1 if the condition is false. Cron ignores exit codes. */
function noteOfCondition(command: string): string[] {
  const quoting = quotingOf(command);
  const operators = [...command.matchAll(/;|&&|\|\|/g)].filter(({ index }) => quoting[index] === 'plain');
  const end = operators.findLast(([operator]) => operator === ';')?.index ?? -1;
  const ofLast = operators.filter(({ index }) => index > end).map(([operator]) => operator);
  const startsWithCondition = /^\s*(?:\[\[?|test)\s/.test(command.slice(end + 1));
  if (!startsWithCondition || !ofLast.includes('&&') || ofLast.includes('||')) return [];
  return [
    'if the condition before `&&` is false, the command exits with code 1. Cron ignores that, but in flwd the run fails: ' +
      'in command.sh, write `if CONDITION; then COMMAND; fi`',
  ];
}

function realPathOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

function noteOfLog(logging: string | undefined): string[] {
  if (logging === undefined) return [];
  const log = withoutSecrets(logging);
  return [
    /^&?>+\s*\/dev\/null\b/.test(log)
      ? `the line discards its output: remove ${log} from command.sh, so that the output goes to the log of the run`
      : `remove ${log} from command.sh: flwd keeps the output of each run, and the job is not allowed to write to that file`,
  ];
}

export function noteOfMail(mailTo: string): string {
  return (
    `cron mails the output to ${mailTo}; flwd keeps it. For a mail when a run fails, use \`notify\` with the channel ` +
    `\`{type: mail, to: [${mailTo}]}\` (docs/guides/notifications.md)`
  );
}

/** Reads cronie's `RANDOM_DELAY=N`, which delays each start by a random time of up to N minutes. */
function delayOf(written: string | undefined, cron: string, timezone: string) {
  if (written === undefined || cron.startsWith('@')) return {};
  const minutes = /^\d{1,5}$/.test(written) ? Number(written) : undefined;
  const times = parseCron(cron, timezone);
  if (minutes === undefined || 'problem' in times || minutes * 60_000 >= shortestGapMs(times))
    return {
      note: `RANDOM_DELAY=${written} is not carried over: \`jitter\` must be shorter than the time between two starts`,
    };
  return minutes === 0 ? {} : { jitter: `${minutes}m` };
}
