// Reads what `control.sh export` of Cronicle writes: a line for each record, `KEY - JSON`.

import { resolve } from 'node:path';
import { shellWord } from '../../../lib/shell-word.ts';
import { hostTimezone, isTimezone } from '../../../lib/timezone.ts';
import { Refusal } from '../../exit-code.ts';
import type { Found, FoundCommand, FoundNothing, FoundSchedule, Origin } from '../found-job.ts';
import { type CalendarTimes, toCron } from './calendar-times.ts';
import {
  countOf,
  type Data,
  inSeconds,
  isMembers,
  isYes,
  listOf,
  type Members,
  membersOf,
  readJson,
  readText,
  textOf,
} from './import-file.ts';
import { noteOfMail } from './mail-note.ts';
import { fileName, interpreterOf, isShell } from './script-interpreter.ts';

type Export = {
  readonly events: readonly { readonly line: number; readonly event: Members }[];
  readonly plugins: ReadonlyMap<string, Members>;
  readonly categories: ReadonlyMap<string, Members>;
  readonly titles: ReadonlyMap<string, string>;
  readonly serverCount: number;
};

/** @throws Refusal */
export function findCronicleEvents(path: string): Found[] {
  const found = readExport(readText(path), path);
  return found.events.map(({ event, line }) =>
    foundOf(event, found, { kind: 'cronicle', place: resolve(path), line, text: textIn(event) }),
  );
}

function readExport(text: string, path: string): Export {
  const lists = new Map<string, { readonly line: number; readonly item: Members }[]>();
  for (const [at, line] of text.split('\n').entries()) {
    const [, list, json = ''] = /^global\/(\w+)\/-?\d+ - (\{.*\})\s*$/.exec(line) ?? [];
    if (list === undefined) continue;
    const page = readJson(json);
    if (page === undefined) throw new Refusal(`${path}:${at + 1} is not valid JSON`);
    const items = listOf(membersOf(page).items).filter(isMembers);
    lists.set(list, [...(lists.get(list) ?? []), ...items.map((item) => ({ line: at + 1, item }))]);
  }
  if (!/^#\s*Cronicle Data Export/m.test(text.slice(0, 1_000)) && !lists.has('schedule'))
    throw new Refusal(`${path} is not an export of Cronicle: write one with /opt/cronicle/bin/control.sh export FILE`);
  const byId = (list: string) => new Map((lists.get(list) ?? []).map(({ item }) => [textOf(item.id) ?? '', item]));
  const events = (lists.get('schedule') ?? []).map(({ item, line }) => ({ event: item, line }));
  return {
    events,
    plugins: byId('plugins'),
    categories: byId('categories'),
    titles: new Map(events.map(({ event }) => [textOf(event.id) ?? '', textOf(event.title) ?? ''])),
    serverCount: lists.get('servers')?.length ?? 1,
  };
}

/**
 * Returns the title, times and program of the event as one text. A change of the text shows that one of them has
 * changed.
 */
function textIn(event: Members): string {
  const params = membersOf(event.params);
  const { timing = null } = event;
  const program = textOf(params.script) ?? `${textOf(params.method) ?? ''} ${textOf(params.url) ?? ''}`;
  return [textOf(event.title) ?? '', `${JSON.stringify(timing)} ${textOf(event.timezone) ?? ''}`.trim(), program].join(
    '\n',
  );
}

function foundOf(event: Members, from: Export, origin: Origin): Found {
  const title = textOf(event.title) ?? textOf(event.id) ?? 'event';
  const plugin = membersOf(from.plugins.get(textOf(event.plugin) ?? ''));
  const program = programOf(event, plugin);
  if ('obstacles' in program) return { kind: 'nothing', origin, ...program };
  const times = schedulesOf(event);
  const user = textOf(plugin.uid) ?? null;
  const category = membersOf(from.categories.get(textOf(event.category) ?? ''));
  const off = [...(isOff(category) ? ['category'] : []), ...(isOff(plugin) ? ['plugin'] : [])];
  const folder = textOf(plugin.cwd);
  const environment = Object.entries(membersOf(plugin.env)).map(
    ([name, value]) => [name, textOf(value) ?? ''] as const,
  );
  return {
    kind: 'job',
    name: title,
    description: textOf(event.notes) === '' ? undefined : textOf(event.notes),
    origin,
    program: program.command,
    environment: Object.fromEntries(environment.filter(([name]) => /^[A-Za-z_]\w*$/.test(name))),
    schedules: times.schedules,
    user,
    home: null,
    arguments: [],
    settings: { ...settingsOf(event), ...(off.length > 0 && { enabled: false }) },
    notes: [
      ...off.map((what) => `its ${what} was disabled in Cronicle, which refused to run it: its job is disabled, too`),
      ...(user === null
        ? ['it ran as the user of Cronicle, which is root unless its configuration says otherwise']
        : []),
      ...(folder === undefined ? [] : [`it started in ${folder}: a job starts in an empty folder`]),
      ...times.notes,
      ...program.notes,
      ...notesOf(event, from),
    ],
  };
}

function isOff({ enabled }: Members): boolean {
  return enabled !== undefined && !isYes(enabled);
}

type Program = { readonly command: FoundCommand; readonly notes: readonly string[] };

function programOf(event: Members, plugin: Members): Program | Pick<FoundNothing, 'obstacles'> {
  const id = textOf(event.plugin) ?? '';
  const params = membersOf(event.params);
  if (id === 'urlplug') return requestOf(params);
  if (id !== 'shellplug')
    return {
      obstacles: [
        `its plugin ${textOf(plugin.title) ?? id} uses a protocol of Cronicle: rewrite the plugin as a script`,
      ],
    };
  const text = textOf(params.script) ?? '';
  if (text.trim() === '') return { obstacles: ['its script is empty'] };
  const interpreter = interpreterOf(text, ['/bin/sh']);
  const variables = [...new Set(text.match(/\b(?:JOB_[A-Z][A-Z_]*|CRONICLE)\b/g) ?? [])].filter(
    (name) => !new RegExp(`\\b${name}=`).test(text),
  );
  return {
    command: {
      file: fileName('script', interpreter),
      text: `${text.trimEnd()}\n`.replaceAll('\r\n', '\n'),
      interpreter,
      isShell: isShell(interpreter),
    },
    notes: [
      ...variables.map(
        (name) =>
          `the script names \`${name}\`, a variable of Cronicle that flwd does not set${name === 'JOB_ID' ? ': use FLWD_RUN_ID' : ''}`,
      ),
      ...(isYes(params.json)
        ? ['Cronicle read JSON in its output: see `flwd_progress` and `flwd_result` in jobs.md']
        : []),
    ],
  };
}

/** Writes the plugin "HTTP Request" as a call of curl. */
function requestOf(params: Members): Program | Pick<FoundNothing, 'obstacles'> {
  const given = (name: string): string => textOf(params[name])?.trim() ?? '';
  const [method, url, data] = [given('method') || 'GET', given('url'), given('data')];
  const headers = given('headers')
    .split(/\r?\n/)
    .filter((line) => line.includes(':'));
  // Cronicle replaces [path/to/a/value] by a value of the job.
  const hasValues = [url, ...headers, data].some((text) => /\[[\w/]+\]/.test(text));
  const obstacles = [
    ...(/^https?:\/\/\S+$/i.test(url) ? [] : ['its address is not an HTTP address']),
    ...(hasValues ? ['its request contains `[…]`, which Cronicle replaces with values of the job'] : []),
  ];
  if (obstacles.length > 0) return { obstacles };
  const words = [
    'curl',
    '--silent',
    '--show-error',
    '--fail-with-body',
    '--max-time',
    String(countOf(params.timeout) ?? 30),
    ...(isYes(params.follow) ? ['--location'] : []),
    ...(isYes(params.ssl_cert_bypass) ? ['--insecure'] : []),
    ...(method === 'HEAD' ? ['--head'] : ['--request', method]),
    ...headers.flatMap((header) => ['--header', header]),
    ...(method === 'POST' ? ['--data-raw', data] : []),
    '--url',
    url,
  ];
  const request = words.map(shellWord).join(' ');
  const [bad, good] = [given('error_match'), given('success_match')];
  const tests = [
    ...(bad === ''
      ? []
      : [`if grep -qzP -e ${shellWord(bad)} answer; then echo 'the answer has the error match'; exit 1; fi`]),
    ...(good === ''
      ? []
      : [`grep -qzP -e ${shellWord(good)} answer || { echo 'the answer lacks the success match'; exit 1; }`]),
  ];
  const lines = tests.length === 0 ? [request] : [`${request} > answer`, 'cat answer', ...tests, 'rm answer'];
  return {
    command: {
      file: 'request.sh',
      text: `${['set -e', ...lines].join('\n')}\n`,
      interpreter: ['/bin/sh'],
      isShell: true,
    },
    notes: ['the HTTP Request plugin became a script that calls curl'],
  };
}

type Times = { readonly schedules: FoundSchedule[]; readonly notes: string[] };

function withoutTimes(note: string): Times {
  return { schedules: [], notes: [`${note}, so it has no schedule`] };
}

function numbersIn(list: Data | undefined): number[] {
  return listOf(list).map((item) => countOf(item) ?? (textOf(item) === '0' ? 0 : Number.NaN));
}

function schedulesOf(event: Members): Times {
  if (!isMembers(event.timing))
    return {
      schedules: [],
      notes: [
        isYes(event.enabled)
          ? 'it had no times: Cronicle started it on demand only'
          : 'it was disabled in Cronicle, and had no times: Cronicle could still start it on demand, and so can flwd',
      ],
    };
  const { timing } = event;
  const zone = textOf(event.timezone) ?? hostTimezone();
  if (listOf(timing.years).length > 0)
    return withoutTimes('its times are limited to some years, which a cron pattern cannot express');
  if (!isTimezone(zone)) return withoutTimes(`its time zone ${zone} is unknown on this machine`);
  const fields = ['minutes', 'hours', 'days', 'months', 'weekdays'] as const;
  const times: CalendarTimes = Object.fromEntries(
    fields.filter((field) => listOf(timing[field]).length > 0).map((field) => [field, numbersIn(timing[field])]),
  );
  const disabled = isYes(event.enabled) ? {} : { enabled: false };
  const settings = { ...(isYes(event.catch_up) && { catch_up: 'all' }), ...disabled };
  try {
    return {
      schedules: [{ cron: toCron(times), timezone: zone, settings }],
      notes: isYes(event.enabled) ? [] : ['it was disabled in Cronicle, so its schedule is disabled here, too'],
    };
  } catch {
    return withoutTimes('its times are out of range');
  }
}

function settingsOf(event: Members): Readonly<Record<string, unknown>> {
  const timeout = countOf(event.timeout);
  const most = countOf(event.max_children);
  const retries = countOf(event.retries);
  return {
    // Cronicle limits each attempt, and also retries after a timeout.
    ...(timeout !== undefined && { timeouts: { [retries === undefined ? 'run' : 'step']: inSeconds(timeout) } }),
    ...(most !== undefined && { concurrency: { limit: most, on_conflict: isYes(event.queue) ? 'queue' : 'reject' } }),
    ...(retries !== undefined && {
      retry: { limit: retries, backoff: 'fixed', delay: inSeconds(countOf(event.retry_delay) ?? 0) },
    }),
  };
}

function notesOf(event: Members, { titles, categories, serverCount }: Export): string[] {
  const category = membersOf(categories.get(textOf(event.category) ?? ''));
  const titleOf = (id: Data | undefined): string => titles.get(textOf(id) ?? '') ?? 'another event';
  const isSet = (key: string): boolean => (textOf(event[key]) ?? '') !== '';
  const isSetHere = (key: string): boolean => isSet(key) || (textOf(category[key]) ?? '') !== '';
  const target = textOf(event.target);
  return [
    ...(isSet('chain')
      ? [`it started “${titleOf(event.chain)}” when it succeeded: give that job a trigger, see \`triggers\` in jobs.md`]
      : []),
    ...(isSet('chain_error')
      ? [
          `it started “${titleOf(event.chain_error)}” when it failed: give that job a trigger with \`on: [failed]\`, see jobs.md`,
        ]
      : []),
    ...(['notify_success', 'notify_fail'] as const).flatMap((key) => {
      const to = [event[key], category[key]].map((value) => textOf(value) ?? '').find((text) => text !== '');
      return to === undefined ? [] : [noteOfMail(key === 'notify_fail' ? 'failed' : 'succeeded', to)];
    }),
    ...(isSetHere('web_hook') ? ['its web hook was not carried over: see `notify` in jobs.md'] : []),
    ...(isYes(event.multiplex)
      ? ['it ran on every server of its group: flwd runs it once, on the machine of the flwd server']
      : []),
    ...(serverCount > 1 && target !== undefined
      ? [`it ran on ${target}: flwd runs it on the machine of the flwd server`]
      : []),
    ...(countOf(event.memory_limit) !== undefined
      ? [
          `its memory was limited to ${countOf(event.memory_limit)} bytes: see \`permissions.resources.memory\` in jobs.md`,
        ]
      : []),
    ...(countOf(event.cpu_limit) !== undefined
      ? [`its CPU was limited to ${countOf(event.cpu_limit)} %: see \`permissions.resources.cpu\` in jobs.md`]
      : []),
    ...(countOf(event.log_max_size) !== undefined
      ? ['a log that grew too large ended it: see `logs.max_size` in jobs.md']
      : []),
    ...(countOf(category.max_children) !== undefined
      ? [`at most ${countOf(category.max_children)} events of its category ran at a time`]
      : []),
  ];
}
