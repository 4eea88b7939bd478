// Reads job definitions of Rundeck in its YAML or JSON format (job-yaml-v13, job-json-v44).

import { resolve } from 'node:path';
import { parseCron } from '../../../lib/cron/cron.ts';
import { hostTimezone, isTimezone } from '../../../lib/timezone.ts';
import { formatDuration } from '../../../lib/units.ts';
import { Refusal } from '../../exit-code.ts';
import type { Found, FoundCommand, FoundSchedule, FoundStep, Origin } from '../found-job.ts';
import {
  countOf,
  type Data,
  isMembers,
  isYes,
  listOf,
  type Members,
  membersOf,
  readText,
  readYaml,
  textOf,
} from './import-file.ts';
import { noteOfMail } from './mail-note.ts';
import { withoutDoubles } from './other-arguments.ts';
import { fromQuartz, splitQuartz } from './quartz-cron.ts';
import { readOptions } from './rundeck-options.ts';
import { readCommands, type Target } from './rundeck-steps.ts';

/** @throws Refusal */
export function findRundeckJobs(path: string): Found[] {
  const text = readText(path);
  if (/^\s*</.test(text))
    throw new Refusal(
      `${path} is in the XML format of Rundeck: export the jobs as YAML, with rd jobs list -p PROJECT -F yaml -f FILE`,
    );
  const documents = readYaml(text, path);
  if ('problem' in documents) throw new Refusal(documents.problem);
  const jobs = documents
    .flatMap((document) => (Array.isArray(document) ? listOf(document) : [document]))
    .filter(isMembers);
  if (jobs.length === 0 || !jobs.some(({ sequence }) => isMembers(sequence) || Array.isArray(sequence)))
    throw new Refusal(`${path} has no job definitions of Rundeck: each is a map with a name and a sequence`);
  const names = withoutDoubles(jobs.map(nameOf));
  const read = jobs.map((job, at) => ({
    job,
    target: {
      name: names[at] ?? nameOf(job),
      uuid: textOf(job.uuid) ?? textOf(job.id),
      options: readOptions(job.options),
    },
  }));
  const targets = read.map(({ target }) => target);
  return read.map(({ job, target }) =>
    foundOf(job, { target, targets }, { kind: 'rundeck', place: resolve(path), line: null, text: textIn(job) }),
  );
}

/** Old definitions have no map around the list of commands. */
function sequenceOf({ sequence }: Members): Members {
  return Array.isArray(sequence) ? { commands: sequence } : membersOf(sequence);
}

/** `group/name`, as Rundeck shows it. */
function nameOf(job: Members): string {
  const group = textOf(job.group) ?? '';
  return `${group === '' ? '' : `${group}/`}${(textOf(job.name) ?? 'job').replaceAll('/', '-')}`;
}

/**
 * Returns the name, schedule and commands of the job as one text. A change of the text shows that one of them has
 * changed.
 */
function textIn(job: Members): string {
  const commands = listOf(sequenceOf(job).commands).map((command) => {
    const { exec, script, scriptfile, args, jobref } = membersOf(command);
    return [exec, script, scriptfile, membersOf(jobref).name, args].flatMap((part) => textOf(part) ?? []).join(' ');
  });
  return [nameOf(job), ...(isMembers(job.schedule) ? [JSON.stringify(job.schedule)] : []), ...commands].join('\n');
}

function foundOf(
  job: Members,
  { target, targets }: { readonly target: Target; readonly targets: readonly Target[] },
  origin: Origin,
): Found {
  const { name, options } = target;
  const obstacles = [...options.obstacles];
  const steps = readCommands(sequenceOf(job), { ...target, targets, obstacles });
  if (obstacles.length > 0) return { kind: 'nothing', origin, obstacles };
  const times = schedulesOf(job);
  const nodes = nodesOf(job);
  return {
    kind: 'job',
    name,
    description: textOf(job.description),
    origin,
    program: programOf(steps.steps),
    environment: {},
    schedules: times.schedules,
    user: null,
    home: null,
    arguments: options.all.map(({ argument }) => argument),
    settings: {
      ...((nodes !== undefined || (job.executionEnabled !== undefined && !isYes(job.executionEnabled))) && {
        enabled: false,
      }),
      ...settingsOf(job, steps.steps.length),
    },
    notes: [
      'it ran as the user of Rundeck, or as the user that its nodes specify',
      ...(nodes === undefined
        ? []
        : [
            `it ran on the nodes \`${nodes}\`, but flwd runs it on the machine of the flwd server: it has \`enabled: false\` until you have checked that this is right`,
          ]),
      ...(job.executionEnabled !== undefined && !isYes(job.executionEnabled)
        ? ['its execution was disabled in Rundeck: it has `enabled: false`']
        : []),
      ...options.notes,
      ...steps.notes,
      ...times.notes,
      ...notesOf(job, steps.steps.length),
    ],
  };
}

function programOf(steps: readonly FoundStep[]): FoundCommand | readonly FoundStep[] {
  const [first] = steps;
  return steps.length === 1 && first?.command ? first.command : steps;
}

/** Returns undefined if Rundeck ran the job on its own machine. */
function nodesOf(job: Members): string | undefined {
  const filters = membersOf(job.nodefilters);
  const filter = textOf(filters.filter) ?? (isMembers(filters.include) ? JSON.stringify(filters.include) : undefined);
  return filter === undefined || /^\s*(?:name:\s*)?localhost\s*$/.test(filter) ? undefined : filter;
}

type Times = { readonly schedules: FoundSchedule[]; readonly notes: string[] };

function withoutTimes(note: string): Times {
  return { schedules: [], notes: [`${note}, so it has no schedule`] };
}

function schedulesOf(job: Members): Times {
  if (!isMembers(job.schedule)) return { schedules: [], notes: [] };
  const { schedule } = job;
  const zone = textOf(job.timeZone) ?? textOf(schedule.timeZone) ?? hostTimezone();
  if (!isTimezone(zone)) return withoutTimes(`its time zone ${zone} is unknown on this machine`);
  const pattern = textOf(schedule.crontab);
  const time = membersOf(schedule.time);
  const fields =
    pattern === undefined
      ? {
          seconds: textOf(time.seconds) ?? '0',
          minute: textOf(time.minute) ?? '0',
          hour: textOf(time.hour) ?? '0',
          day: textOf(membersOf(schedule.dayofmonth).day) ?? '*',
          month: textOf(schedule.month) ?? '*',
          weekday: textOf(membersOf(schedule.weekday).day) ?? '*',
          year: textOf(schedule.year) ?? '*',
        }
      : splitQuartz(pattern);
  const written = pattern ?? Object.values(fields ?? {}).join(' ');
  if (fields === undefined) return withoutTimes(`its pattern \`${written}\` does not have six or seven fields`);
  const read = fromQuartz(fields);
  const times = 'problem' in read ? read : parseCron(read.cron, zone);
  if ('problem' in read || 'problem' in times)
    return withoutTimes(`its pattern \`${written}\` ${'problem' in times ? times.problem : ''}`);
  const isOff = job.scheduleEnabled !== undefined && !isYes(job.scheduleEnabled);
  return {
    schedules: [{ cron: read.cron, timezone: zone, settings: isOff ? { enabled: false } : {} }],
    notes: isOff ? ['its schedule was disabled in Rundeck: it starts nothing here, either'] : [],
  };
}

function settingsOf(job: Members, stepCount: number): Readonly<Record<string, unknown>> {
  const timeoutMs = spanMs(textOf(job.timeout));
  const { limit, delayMs } = retryOf(job);
  const isRetried = stepCount === 1 && limit !== undefined;
  return {
    // Rundeck limits each attempt, and also retries after a timeout.
    ...(timeoutMs !== undefined && { timeouts: { [isRetried ? 'step' : 'run']: formatDuration(timeoutMs) } }),
    ...(!isYes(job.multipleExecutions) && { concurrency: { limit: 1, on_conflict: 'reject' } }),
    ...(isRetried && { retry: { limit, backoff: 'fixed', delay: formatDuration(delayMs ?? 0) } }),
  };
}

function retryOf(job: Members) {
  const { retry } = job;
  const limit = isMembers(retry) ? retry.retry : retry;
  return {
    written: textOf(limit),
    limit: countOf(limit),
    delayMs: isMembers(retry) ? spanMs(textOf(retry.delay)) : undefined,
  };
}

/** Reads a duration such as `120` or `6h 30m`. */
function spanMs(text: string | undefined): number | undefined {
  const units: Readonly<Record<string, number>> = { d: 86_400, h: 3_600, m: 60, s: 1, '': 1 };
  if (text === undefined || !/^\s*(?:\d{1,9}\s*[dhms]?\s*)+$/.test(text)) return undefined;
  const seconds = [...text.matchAll(/(\d+)\s*([dhms]?)/g)].reduce(
    (sum, [, number, unit = '']) => sum + Number(number) * (units[unit] ?? 0),
    0,
  );
  return seconds > 0 ? seconds * 1_000 : undefined;
}

function isLost(data: Data | undefined): boolean {
  return isMembers(data) && Object.keys(data).length > 0;
}

const moments: Readonly<Record<string, Parameters<typeof noteOfMail>[0]>> = {
  onfailure: 'failed',
  onsuccess: 'succeeded',
  onstart: 'started',
};

function notesOfNotifications(notification: Data | undefined): string[] {
  const kinds = Object.entries(membersOf(notification)).flatMap(([when, of]) =>
    Object.entries(membersOf(of)).map(([kind, value]) => ({ when, kind, to: textOf(membersOf(value).recipients) })),
  );
  const others = kinds.filter(({ when, to }) => moments[when] === undefined || to === undefined);
  return [
    ...kinds.flatMap(({ when, to }) => {
      const moment = moments[when];
      return moment === undefined || to === undefined ? [] : [noteOfMail(moment, to)];
    }),
    ...(others.length > 0
      ? [
          `its notifications (${others.map(({ when, kind, to }) => `${when}: ${kind}${to === undefined ? '' : ` to ${to}`}`).join(', ')}) were not carried over: see \`notify\` in jobs.md`,
        ]
      : []),
  ];
}

function notesOf(job: Members, stepCount: number): string[] {
  const retry = retryOf(job);
  const timeout = textOf(job.timeout);
  return [
    ...(timeout !== undefined && timeout !== '' && spanMs(timeout) === undefined
      ? [`its timeout \`${timeout}\` was not carried over: write \`timeouts: { run: 1h }\``]
      : []),
    ...(retry.written !== undefined && retry.limit === undefined && retry.written !== '0'
      ? [`its retry \`${retry.written}\` was not carried over`]
      : []),
    ...(stepCount > 1 && retry.limit !== undefined
      ? ['Rundeck started the whole job again when it failed: see `retry` of a step in jobs.md']
      : []),
    ...notesOfNotifications(job.notification),
    ...(textOf(job.loglimit) !== undefined
      ? [`its log limit \`${textOf(job.loglimit)}\` was not carried over: see \`logs.max_size\` in jobs.md`]
      : []),
    ...(isLost(job.plugins) ? ['its lifecycle plugins were not carried over'] : []),
    ...(isLost(job.orchestrator) ? ['its orchestrator was not carried over'] : []),
  ];
}
