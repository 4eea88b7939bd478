// Checks a schedule against its job: the pattern, the arguments, the jitter. A schedule in config.yaml is checked when
// flwd reads the job, a schedule of the API when somebody requests it.

import { createErrorList, type ErrorList } from '../../domain/error-list.ts';
import type { JobDefinition, JobSchedule, JsonObject, JsonValue } from '../../domain/job.ts';
import { isCalendarName, scheduleLabels } from '../../domain/schedule.ts';
import { parseTimestampUs, systemClock } from '../../lib/clock.ts';
import { isDate, isTooFar, mostYearsAhead } from '../../lib/cron/calendar-days.ts';
import { parseCron, shortestGapMs } from '../../lib/cron/cron.ts';
import { startWords } from '../../lib/cron/start-words.ts';
import { createSha256 } from '../../lib/sha256.ts';
import { isTimezone, notTimezone } from '../../lib/timezone.ts';
import { formatDuration, parseDuration } from '../../lib/units.ts';
import { checkArguments } from '../arguments/arguments.ts';
import { splitPointer } from '../arguments/schema-errors.ts';
import { isObject } from '../arguments/subschemas.ts';
import { type MemberError, ruleError, within } from './config-error.ts';
import type { RawSchedule } from './config-schema.ts';
import type { Spot } from './config-text.ts';

const toError = (path: readonly string[], keyword: string, message: string): MemberError => ({
  path,
  spot: 'value',
  keyword,
  message,
});

type JobArguments = Pick<JobDefinition, 'argspec' | 'secretArgs'>;

/**
 * Paths in errors start at the schedule. Without a job, the arguments are not checked. `ofArgs` collects the errors of
 * the arguments, and counts further errors that it does not list.
 */
export function checkSchedule(
  terms: Omit<JobSchedule, 'id' | 'held'>,
  job?: JobArguments,
  ofArgs = createErrorList(),
): MemberError[] {
  const { cron, timezone, args, jitterMs, labels } = terms;
  const errors: MemberError[] = checkWhen(terms);
  const isZone = timezone === null || isTimezone(timezone);
  if (!isZone)
    errors.push(
      toError(['timezone'], 'timezone', `must be a time zone such as \`Europe/Berlin\`${notTimezone(timezone)}`),
    );
  const times = cron === null ? null : parseCron(cron, (isZone && timezone) || 'UTC');
  if (times && 'problem' in times) errors.push(toError(['cron'], 'cron', times.problem));
  else if (times && jitterMs > 0) {
    const gapMs = shortestGapMs(times);
    if (jitterMs >= gapMs) {
      const message = `must be shorter than the ${formatDuration(gapMs)} between two starts`;
      errors.push(toError(['jitter'], 'jitter', message));
    }
  }
  return [...errors, ...checkLabels(labels), ...(job ? checkArgs(args, job, ofArgs) : [])];
}

/**
 * Checks that a schedule has a pattern or a single time, and that its `calendar` and `except` fit a pattern and exist.
 */
function checkWhen({ cron, atMs, calendar, except }: Omit<JobSchedule, 'id' | 'held'>): MemberError[] {
  const errors: MemberError[] = [];
  if (cron === null && atMs === null) errors.push(ruleError([], 'a schedule needs `cron`, or `at` for a single time'));
  if (cron !== null && atMs !== null)
    errors.push(ruleError(['at'], '`at` and `cron` must not be used together', 'key'));
  for (const [key, days] of [
    ['calendar', calendar ?? []],
    ['except', except],
  ] as const) {
    if (days.length > 0 && (cron === null || startWords.has(cron)))
      errors.push(ruleError([key], `\`${key}\` needs a \`cron\` pattern with days and times`, 'key'));
    for (const day of days) {
      if (isCalendarName(day)) continue;
      if (!isDate(day)) errors.push(toError([key], 'date', `has no such day: \`${day}\``));
      else if (isTooFar(day, systemClock.now())) {
        const message = `has a day more than ${mostYearsAhead} years ahead: \`${day}\`; check its year`;
        errors.push(toError([key], 'date', message));
      }
    }
  }
  return errors;
}

function checkLabels(labels: JobSchedule['labels']): MemberError[] {
  return scheduleLabels
    .filter((name) => Object.hasOwn(labels, name))
    .map((name) => toError(['labels', name], 'reserved', 'is a label that flwd sets itself'));
}

function checkArgs(args: JsonObject, job: JobArguments, found: ErrorList): MemberError[] {
  const open = job.secretArgs.filter((name) => typeof args[name] === 'string');
  checkArguments(job, args, found);
  return [
    ...open.map((name) =>
      toError(
        ['args', name],
        'secret',
        'must be a stored secret, {secret: name}: everyone can see the arguments of a schedule',
      ),
    ),
    ...found
      .named()
      .map(({ pointer, keyword, message }) => ({
        ...toError(splitPointer(pointer), keyword, message),
        spot: spotOf(keyword),
      }))
      .filter(({ path }) => !(path[0] === 'args' && path.length === 2 && open.includes(path[1] ?? ''))),
  ];
}

/** A message about a missing or unknown member names the member itself. */
function spotOf(keyword: string): Spot {
  if (keyword === 'required') return 'missing';
  return keyword === 'additionalProperties' || keyword === 'unevaluatedProperties' ? 'key' : 'value';
}

/**
 * Paths in errors start at the top of config.yaml.
 * @param job undefined when its arguments have errors
 */
export function readSchedules(
  schedules: readonly RawSchedule[],
  jobId: string,
  job: JobArguments | undefined,
): { readonly schedules: readonly JobSchedule[]; readonly errors: readonly MemberError[] } {
  const read = schedules.map((raw) => toSchedule(raw, jobId));
  const placeOf = new Map<string, number>();
  const errors = read.flatMap((schedule, at) => {
    const before = placeOf.get(schedule.id);
    placeOf.set(schedule.id, before ?? at);
    const found = within(['schedules', String(at)], checkSchedule(schedule, job));
    if (before === undefined) return found;
    return [...found, ruleError(['schedules', String(at)], `this schedule is the same as \`schedules.${before}\``)];
  });
  return { schedules: read, errors };
}

function toSchedule(raw: RawSchedule, jobId: string): JobSchedule {
  const { cron = null, timezone = null, args = {}, jitter = '0s' } = raw;
  const atMs = toAtMs(raw.at);
  const hash = createSha256()
    // `UTC` keeps the ids that schedules had before instances had a time zone.
    .update(canonical([jobId, cron ?? `at ${atMs}`, timezone ?? 'UTC', args]))
    .digest('hex');
  return {
    id: `schedule_${hash.slice(0, 26).toUpperCase()}`,
    cron,
    atMs,
    ...daysOf(raw),
    timezone,
    args,
    catchUp: raw.catch_up ?? 'none',
    jitterMs: parseDuration(jitter) ?? 0,
    enabled: raw.enabled ?? true,
    held: raw.held ?? false,
    labels: raw.labels ?? {},
    ...(raw.heartbeat !== undefined && { heartbeat: raw.heartbeat }),
  };
}

/** The instant of a schedule's `at`; null without one. */
export function toAtMs(at: string | undefined): number | null {
  const atUs = at === undefined ? undefined : parseTimestampUs(at);
  return atUs === undefined ? null : Math.floor(atUs / 1000);
}

export function daysOf({ calendar, except = [] }: Pick<RawSchedule, 'calendar' | 'except'>) {
  return { calendar: calendar === undefined ? null : [calendar].flat(), except: [except].flat() };
}

/** Returns the same text for the same members in any order. */
function canonical(value: JsonValue): string {
  return JSON.stringify(value, (_, member: JsonValue) =>
    isObject(member) ? Object.fromEntries(Object.entries(member).toSorted(([a], [b]) => (a < b ? -1 : 1))) : member,
  );
}
