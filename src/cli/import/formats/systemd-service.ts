// Turns a service of systemd into a shell script that runs the same programs, as systemd.service(5) describes them.

import { basename } from 'node:path';
import { shellWord } from '../../../lib/shell-word.ts';
import { formatDuration } from '../../../lib/units.ts';
import type { FoundCommand } from '../found-job.ts';
import { attempt, Unreadable } from '../obstacles.ts';
import { environmentFileReader } from './systemd-environment-file.ts';
import { spanMs } from './systemd-span.ts';
import { commandEnd, splitWords, type Unit } from './unit-file.ts';

/** The instance of systemd that manages the units: the one of the system, or the one of a user. */
export type Manager = {
  readonly folders: readonly string[];
  readonly user: string;
  readonly home: string;
  readonly isUser: boolean;
};

type Service = {
  readonly description: string | undefined;
  readonly command: FoundCommand;
  readonly environment: Readonly<Record<string, string>>;
  /** null: a user that systemd made for the service. */
  readonly user: string | null;
  readonly home: string | null;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly notes: readonly string[];
};

export function readService(service: Unit, manager: Manager, obstacles: string[]): Service {
  const user = service.last('Service', 'User') ?? manager.user;
  const home = user === manager.user ? manager.home : null;
  const isDynamic = /^(?:1|yes|y|true|t|on)$/i.test(service.last('Service', 'DynamicUser') ?? '');
  const expand = (text: string): string => withSpecifiers(text, { service, user, home, manager, obstacles });
  const lines = ['ExecCondition', 'ExecStartPre', 'ExecStart', 'ExecStartPost'].flatMap((key) =>
    service.all('Service', key).flatMap((line) => attempt(obstacles, () => commandsOf(key, line, expand)) ?? []),
  );
  if (service.all('Service', 'ExecStart').length === 0) obstacles.push(`${service.name} starts no program`);
  const environment = environmentOf(service, expand);
  const files = service.all('Service', 'EnvironmentFile').map(expand);
  const folder = service.last('Service', 'WorkingDirectory');
  const text = [
    'set -e -f',
    ...(files.length > 0 ? environmentFileReader : []),
    ...files.map(
      (file) => `read_environment ${shellWord(file.replace(/^-/, ''))}${file.startsWith('-') ? ' || true' : ''}`,
    ),
    ...(folder === undefined ? [] : [attempt(obstacles, () => changeTo(expand(folder), home)) ?? '']),
    ...lines.map(({ text: line }) => line),
  ];
  const description = service.last('Unit', 'Description');
  return {
    description: description === undefined ? undefined : expand(description),
    command: { file: 'service.sh', text: `${text.join('\n')}\n`, interpreter: ['/bin/sh'], isShell: true },
    environment,
    user: isDynamic ? null : user,
    home: isDynamic ? null : home,
    settings: settingsOf(service),
    notes: [...notesOf(service), ...lines.flatMap(({ notes }) => notes)],
  };
}

function commandsOf(
  key: string,
  line: string,
  expand: (text: string) => string,
): { readonly text: string; readonly notes: string[] }[] {
  const words = splitWords(line);
  if (!words) throw new Unreadable(`a quote in \`${key}=\` is not closed`);
  const commands = words.reduce<string[][]>(
    (all, word) => {
      if (word === commandEnd) all.push([]);
      else all.at(-1)?.push(word);
      return all;
    },
    [[]],
  );
  return commands
    .filter((command) => command.length > 0)
    .map(([first = '', ...rest]) => {
      const [marks = ''] = /^[-@:+!|]*/.exec(first) ?? [];
      const program = first.slice(marks.length);
      const given = marks.includes('@') ? rest.slice(1) : rest;
      const isLiteral = marks.includes(':');
      const called = [program, ...given].map((word) => inShell(expand(word), isLiteral)).join(' ');
      const after = marks.includes('-') ? ' || true' : key === 'ExecCondition' ? ' || exit 0' : '';
      return {
        text: `${called}${after}`,
        notes: [
          ...(/[+!]/.test(marks) ? [`\`${key}=${first}\` ran with root privileges, which a job does not get`] : []),
          ...(marks.includes('@') ? [`\`${key}=${first}\` gave the program another name, ${rest[0] ?? ''}`] : []),
        ],
      };
    });
}

/**
 * If `$NAME` is a word of its own, systemd splits its value at white space. It never splits `${NAME}`, and `$$` is a
 * dollar sign.
 */
function inShell(word: string, isLiteral: boolean): string {
  if (isLiteral) return shellWord(word);
  if (/^\$[A-Za-z_]\w*$/.test(word)) return word;
  const parts = word.split(/(\$\{[A-Za-z_]\w*\}|\$\$)/);
  return (
    parts
      .map((part, at) => (at % 2 === 0 ? (part === '' ? '' : shellWord(part)) : part === '$$' ? "'$'" : `"${part}"`))
      .join('') || "''"
  );
}

function environmentOf(service: Unit, expand: (text: string) => string): Record<string, string> {
  const words = service.all('Service', 'Environment').flatMap((line) => splitWords(line) ?? []);
  return Object.fromEntries(
    words.flatMap((word) => {
      const [, name, value = ''] = /^([A-Za-z_]\w*)=(.*)$/s.exec(word) ?? [];
      return name === undefined ? [] : [[name, expand(value)]];
    }),
  );
}

function changeTo(folder: string, home: string | null): string {
  const path = folder.replace(/^-/, '');
  if (path === '~' && home === null) throw new Unreadable('`WorkingDirectory=~` is the home of another user');
  return `cd ${shellWord(path === '~' ? (home ?? '') : path)}${folder.startsWith('-') ? ' || true' : ''}`;
}

function settingsOf(service: Unit): Readonly<Record<string, unknown>> {
  const isOneshot = service.last('Service', 'Type') === 'oneshot';
  const limit =
    service.last('Service', isOneshot ? 'TimeoutStartSec' : 'RuntimeMaxSec') ??
    (isOneshot ? service.last('Service', 'TimeoutSec') : undefined);
  const limitMs = limit === undefined ? undefined : spanMs(limit);
  const signal = signalOf(service);
  return {
    // If a service is still running when its timer fires, systemd skips this start and does not make up for it.
    concurrency: { limit: 1, on_conflict: 'reject' },
    ...(signal !== undefined && { cancel: { signal } }),
    ...(limitMs !== undefined && limitMs > 0 && { timeouts: { run: formatDuration(limitMs) } }),
  };
}

/** The signal as `cancel.signal` names it. undefined: it is the default, or flwd cannot send it. */
function signalOf(service: Unit): string | undefined {
  return /^(?:SIG)?(INT|HUP|QUIT|USR1|USR2|KILL)$/.exec(service.last('Service', 'KillSignal') ?? '')?.[1];
}

const notCarriedOver: readonly (readonly [string, string, string])[] = [
  ['Service', 'Restart', 'see `retry` in jobs.md'],
  ['Service', 'ExecStop', ''],
  ['Service', 'ExecStopPost', 'see `always` of a step in jobs.md'],
  ['Service', 'SuccessExitStatus', 'every exit code but 0 is a failure'],
  ['Service', 'DynamicUser', 'see `run_as` in jobs.md'],
  ['Service', 'Group', ''],
  ['Service', 'SupplementaryGroups', ''],
  ['Service', 'StandardInput', ''],
  ['Service', 'StandardOutput', 'flwd keeps the output of each run'],
  ['Service', 'StandardError', 'flwd keeps the output of each run'],
  ['Service', 'StateDirectory', 'name the folder under `permissions.write`, and set STATE_DIRECTORY under `env`'],
  ['Service', 'CacheDirectory', 'name the folder under `permissions.write`, and set CACHE_DIRECTORY under `env`'],
  ['Service', 'LogsDirectory', 'name the folder under `permissions.write`, and set LOGS_DIRECTORY under `env`'],
  ['Service', 'RuntimeDirectory', 'the job starts in an empty folder of its own'],
  ['Service', 'LoadCredential', 'use a stored secret'],
  ['Service', 'SetCredential', 'use a stored secret'],
  ['Service', 'PassEnvironment', 'name the variables under `env`'],
  ['Service', 'KillMode', 'flwd ends all processes of the run'],
  ['Service', 'ReadWritePaths', 'name the folders under `permissions.write`'],
  ['Service', 'UMask', ''],
  ['Service', 'Nice', ''],
  ['Service', 'IOSchedulingClass', ''],
  ['Service', 'CPUSchedulingPolicy', ''],
  ['Service', 'CPUQuota', 'see `permissions.resources.cpu` in jobs.md'],
  ['Service', 'MemoryMax', 'see `permissions.resources.memory` in jobs.md'],
  ['Service', 'TasksMax', 'see `permissions.resources.pids` in jobs.md'],
  ['Service', 'RootDirectory', ''],
  ['Service', 'RootImage', ''],
  ['Unit', 'OnFailure', 'see `notify` in jobs.md'],
  ['Unit', 'OnSuccess', 'see `notify` in jobs.md'],
  ['Unit', 'Requires', ''],
  ['Unit', 'BindsTo', ''],
  ['Unit', 'Wants', ''],
  ['Unit', 'Conflicts', ''],
];

function notesOf(service: Unit): string[] {
  const conditions = service.keys('Unit').filter((key) => /^(?:Condition|Assert)/.test(key));
  const type = service.last('Service', 'Type');
  return [
    ...conditions.flatMap((key) =>
      service.all('Unit', key).map((value) => `\`${key}=${value}\` is not checked: the job runs in any case`),
    ),
    ...(type === 'forking'
      ? [
          '`Type=forking`: a run ends when its first program ends, and flwd then ends what that program left in the background',
        ]
      : []),
    ...service
      .all('Service', 'KillSignal')
      .slice(-1)
      .filter((value) => signalOf(service) === undefined && !/^(?:SIG)?TERM$/.test(value))
      .map((value) => `\`KillSignal=${value}\` was not carried over: see \`cancel.signal\` in jobs.md`),
    ...notCarriedOver.flatMap(([section, key, instead]) => {
      const values = service
        .all(section, key)
        .filter((value) => !/^(?:no|null|journal|inherit|control-group|network-online\.target)$/.test(value));
      return values.length === 0
        ? []
        : [`\`${key}=${values.join(' ')}\` was not carried over${instead === '' ? '' : `: ${instead}`}`];
    }),
  ];
}

type Named = {
  readonly service: Unit;
  readonly user: string;
  readonly home: string | null;
  readonly manager: Manager;
  readonly obstacles: string[];
};

function withSpecifiers(text: string, { service, user, home, manager, obstacles }: Named): string {
  const [, prefix = '', instance = ''] = /^([^@]+)(?:@(.*))?\.service$/s.exec(service.name) ?? [];
  const runtime = `/run${manager.isUser ? `/user/${process.getuid?.() ?? 0}` : ''}`;
  const known: Readonly<Record<string, string | null>> = {
    '%': '%',
    n: service.name,
    N: service.name.replace(/\.service$/, ''),
    p: prefix,
    P: unescaped(prefix),
    i: instance,
    I: unescaped(instance),
    j: basename(prefix.replaceAll('-', '/')),
    f: `/${unescaped(instance === '' ? prefix : instance)}`,
    u: user,
    h: home,
    t: runtime,
    T: '/tmp',
    V: '/var/tmp',
    ...(manager.isUser
      ? { E: `${home}/.config`, C: `${home}/.cache`, S: `${home}/.local/state` }
      : { E: '/etc', C: '/var/cache', L: '/var/log', S: '/var/lib' }),
  };
  return text.replaceAll(/%(.)/gs, (whole, letter: string) => {
    const value = Object.hasOwn(known, letter) ? known[letter] : undefined;
    if (value === undefined || value === null) obstacles.push(`it uses \`${whole}\`, whose value flwd does not know`);
    return value ?? '';
  });
}

/** `var-lib-x\x2dy` → `var/lib/x-y`. */
function unescaped(text: string): string {
  return text
    .replaceAll('-', '/')
    .replaceAll(/\\x([\da-f]{2})/g, (_, code: string) => String.fromCodePoint(Number.parseInt(code, 16)));
}
