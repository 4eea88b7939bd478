// What a notification says about a run: a headline, the reason in a sentence, the last lines of the log, and a link.

import { whoMayAnswer } from '../domain/access/who-may-answer.ts';
import type { NotifyEvent } from '../domain/notification.ts';
import { byRequester } from '../domain/outcome/cancel-request.ts';
import { stepAndMessage } from '../domain/outcome/step-and-message.ts';
import { stepLabel } from '../domain/outcome/step-label.ts';
import { invariant } from '../domain/problem.ts';
import { isFinished, type Run, type RunStatus } from '../domain/run.ts';
import type { Schedule } from '../domain/schedule.ts';
import { toTimestamp } from '../lib/clock.ts';
import { zonedTime } from '../lib/cron/zoned-time.ts';
import { withoutEndSlash } from '../lib/http/http-url.ts';
import { logLine, oneLine, plainText } from '../lib/plain-text.ts';
import { shellWord } from '../lib/shell-word.ts';
import { formatDuration } from '../lib/units.ts';
import type { DueNotification, LateNotice } from '../store/notifications.ts';
import type { Store } from '../store/open.ts';
import { ownTrace } from '../store/run/span-ids.ts';
import { contextOf, scheduleIdOf } from './context.ts';

export type Tone = 'good' | 'bad' | 'neutral';

export type Message = {
  /** The id of the notification, which stays the same when it is sent again. */
  readonly id: string;
  readonly event: NotifyEvent | 'test' | 'digest';
  readonly tone: Tone;
  /** One line of plain text, like the following members. */
  readonly headline: string;
  readonly reason: string;
  /** The last lines that the program printed, oldest first. A digest has a line for each of its messages. */
  readonly lines: readonly string[];
  /** null: flwd.yaml has no `server.public_url`. */
  readonly url: string | null;
  /** The command that shows more when it is run on the host; null if the reason says what to do. */
  readonly command: string | null;
  /** Where and when the event happened, and what started the run, without a full stop. */
  readonly context: string;
  /** The context, and the run if there is one. Without a URL, it has the command instead of the run. */
  readonly footer: string;
  /** When the event happened. */
  readonly at: string;
  /** The same time in words, with its zone. */
  readonly time: string;
  /**
   * How many runs of the job have failed in a row, up to this failure or before this success. Also 0 if a newer run has
   * already ended, because the end of this run then does not show whether the job works.
   */
  readonly failures: number;
  /** The step that waits for an approval. */
  readonly stepId: string | null;
  /** The name of this instance. */
  readonly instance: string;
  /** The host, and the name of the instance if somebody has named it. */
  readonly where: string;
  /** The run. For a digest, it is the run of the newest message. */
  readonly run: Run;
  /** The messages of a digest. They have no lines. */
  readonly parts: readonly Message[];
};

/** A notification with its run. */
export type Report = { readonly notification: DueNotification; readonly run: Run };

const tones: Readonly<Record<NotifyEvent, Tone>> = {
  failed: 'bad',
  still_failing: 'bad',
  success: 'good',
  fixed: 'good',
  cancelled: 'neutral',
  waiting_approval: 'neutral',
  late: 'bad',
  missed: 'bad',
};
const headlines: Readonly<Record<NotifyEvent, string>> = {
  failed: 'failed',
  still_failing: 'is still failing',
  success: 'succeeded',
  fixed: 'works again',
  cancelled: 'was cancelled',
  waiting_approval: 'waits for an approval',
  late: 'is late',
  missed: 'missed a time of its schedule',
};
/** What a digest says after a number, such as `2 still failing`. */
const inDigest: Readonly<Record<NotifyEvent, string>> = {
  failed: 'failed',
  still_failing: 'still failing',
  success: 'succeeded',
  fixed: 'working again',
  cancelled: 'cancelled',
  waiting_approval: 'waiting for an approval',
  late: 'late',
  missed: 'missed',
};
/** The default name of an instance. */
const usualName = 'flwd';
const mostLines = 10;
const mostTitleChars = 200;
/** How many messages a digest shows. No provider has room for more. */
const mostParts = 50;
const mostReasonChars = 1_000;
/** At most this many open approvals of a run are read to find the one that a message is about. */
const mostApprovals = 1_000;
const mostLineChars = 500;

export type Messages = ReturnType<typeof createMessages>;

export function createMessages(o: {
  readonly store: Pick<Store, 'runs' | 'logs' | 'schedules'>;
  readonly publicUrl: string | null;
  readonly instance: string;
  readonly host: string;
  /** The zone of times that belong to no schedule. */
  readonly timezone: string;
  readonly scheduleOf: (id: string) => NamedSchedule | undefined;
}) {
  const { store, instance, host } = o;
  const base = o.publicUrl === null ? null : withoutEndSlash(o.publicUrl);
  const where = instance === usualName ? host : `${host} (${instance})`;
  const place: Place = { base, where, instance };

  /** When the event happened, in the zone of the schedule that started the run or missed a time, if there is one. */
  async function momentOf(report: Report) {
    const { notification, run } = report;
    const id = notification.late?.scheduleId ?? scheduleIdOf(run);
    const schedule = id === undefined ? undefined : (o.scheduleOf(id) ?? (await storedSchedule(id, run, o)));
    return { atMs: Date.parse(happenedAt(report)), schedule, timezone: schedule?.timezone ?? o.timezone };
  }

  /** Makes the message of a notification, without its lines. */
  async function aboutOf(report: Report): Promise<Message> {
    const { notification, run } = report;
    const { id, event, stepId, failures, late } = notification;
    const hasRun = notification.runId !== null;
    const job = run.job_id.split('/').map(encodeURIComponent).join('/');
    const moment = await momentOf(report);
    const context = contextOf({ ...moment, event, where, run: hasRun ? run : null });
    const command = commandOf(report);
    const more = base === null ? command : notification.runId;
    return {
      id,
      event,
      tone: tones[event],
      headline: `${late ? named(late.title, late.jobId) : await nameOf(run, store)} ${headlines[event]}`,
      reason: oneLine(
        late ? lateReasonOf(late, run) : await reasonOf(notification, run, { ...store, ...moment }),
        mostReasonChars,
      ),
      lines: [],
      url: base === null ? null : `${base}/${hasRun ? `runs/${run.run_id}` : `jobs/${job}`}`,
      command,
      context,
      footer: more === null ? context : `${context} · ${more}`,
      at: happenedAt(report),
      time: zonedTime(moment.atMs, moment.timezone),
      failures,
      stepId,
      instance,
      where,
      run,
      parts: [],
    };
  }

  return {
    async of(report: Report): Promise<Message> {
      if (report.notification.runId === null) return aboutOf(report);
      return { ...(await aboutOf(report)), lines: await lastLines(report.run, store) };
    },
    async digest(reports: readonly Report[]): Promise<Message> {
      const parts: Message[] = [];
      for (const report of reports.slice(0, mostParts)) parts.push(await aboutOf(report));
      return digestOf(reports, parts, place);
    },
    /** The message that tests a channel. */
    sample: (id: string, at: string): Message => sampleOf(id, at, { ...place, timezone: o.timezone }),
  };
}

type NamedSchedule = Pick<Schedule, 'name' | 'timezone'>;

/** Finds a schedule that is no longer in `config.yaml`, or whose source has not been read yet. */
async function storedSchedule(
  id: string,
  run: Run,
  { store, timezone }: Pick<Parameters<typeof createMessages>[0], 'store' | 'timezone'>,
): Promise<NamedSchedule | undefined> {
  const made = await store.schedules.find(id);
  if (made) return made;
  const own = (await store.runs.jobOf(run.run_id))?.schedules.find((schedule) => schedule.id === id);
  return own && { name: null, timezone: own.timezone ?? timezone };
}

/** Where the instance is. */
type Place = Pick<Message, 'instance' | 'where'> & { readonly base: string | null };

function digestOf(reports: readonly Report[], parts: readonly Message[], { base, where }: Place): Message {
  const [first] = parts;
  const last = parts.at(-1);
  invariant(first && last, 'a digest has a message');
  const more = reports.length - parts.length;
  const lines = parts.map(({ time, headline, reason }) => oneLine(`${time} ${headline}: ${reason}`, mostLineChars));
  const context = `On ${where}`;
  return {
    ...last,
    id: first.id,
    event: 'digest',
    tone: worstOf(reports),
    headline: headlineOf(reports),
    reason: `${reports.length} messages since ${first.time}.`,
    lines: more > 0 ? [...lines, `and ${more} more`] : lines,
    url: base === null ? null : `${base}/runs`,
    command: 'flwd runs',
    context,
    footer: base === null ? `${context} · flwd runs` : context,
    stepId: null,
    parts,
  };
}

function sampleOf(id: string, at: string, o: Place & { readonly timezone: string }): Message {
  const { base, where, instance, timezone } = o;
  const atMs = Date.parse(at);
  const context = contextOf({ event: 'test', where, atMs, timezone, run: null, schedule: undefined });
  return {
    id,
    event: 'test',
    tone: 'neutral',
    headline: 'flwd can reach this channel',
    reason: `This is a test from ${instance}; no run has failed.`,
    lines: ['the last lines of the log come here'],
    url: base,
    command: 'flwd notify',
    context,
    footer: context,
    at,
    time: zonedTime(atMs, timezone),
    failures: 0,
    stepId: null,
    instance,
    where,
    run: sampleRun(at),
    parts: [],
  };
}

/** The last lines. If the run has several steps, each line begins with its step. */
async function lastLines(run: Run, { logs }: Pick<Store, 'logs'>): Promise<string[]> {
  const { lines } = await logs.page(run.run_id, { tail: mostLines, limit: mostLines, isPrinted: true });
  return lines.flatMap(({ message, step_id: stepId }) => {
    const line = logLine(message, mostLineChars);
    if (line === '' || run.steps.length < 2) return line === '' ? [] : [line];
    return [logLine(`${labelOf(run, stepId)} | ${line}`, mostLineChars)];
  });
}

/** The id of the step and, if it is an instance, its item, as `flwd runs RUN` shows it. */
function labelOf({ steps }: Run, stepId: string): string {
  return stepLabel(steps.find(({ step_id: id }) => id === stepId) ?? { step_id: stepId });
}

/** When the run ended, or a step began to wait for an approval. */
export function happenedAt({ notification, run }: Report): string {
  if (notification.late) return toTimestamp(notification.late.atMs);
  const endedAt = notification.event === 'waiting_approval' ? null : run.finished_at;
  return endedAt ?? toTimestamp(notification.createdAtMs);
}

function worstOf(reports: readonly Report[]): Tone {
  const found = reports.map(({ notification }) => tones[notification.event]);
  return (['bad', 'neutral', 'good'] as const).find((tone) => found.includes(tone)) ?? 'neutral';
}

/** Returns, for example, `3 failed, 1 working again`. */
function headlineOf(reports: readonly Report[]): string {
  const counts = Map.groupBy(reports, ({ notification: { event } }) => inDigest[event]);
  return [...counts].map(([words, { length }]) => `${length} ${words}`).join(', ');
}

/** Names a job by its title and its id. The author of a job chooses the title, so the title alone could mislead. */
async function nameOf({ run_id: id, job_id: jobId }: Run, { runs }: Pick<Store, 'runs'>): Promise<string> {
  return named(await runs.titleOf(id), jobId);
}

function named(given: string | null, jobId: string): string {
  const title = oneLine(given ?? '', mostTitleChars);
  return title === '' || title === jobId ? jobId : `${title} (${jobId})`;
}

const sinceWords: Readonly<Record<RunStatus, string>> = {
  pending: '',
  running: '',
  success: ' It has succeeded since.',
  failed: ' It has failed since.',
  cancelled: ' It has been cancelled since.',
};

/** If the channel could not be reached for a while, the run may have ended before the message is sent. */
function lateReasonOf({ detail }: LateNotice, { status }: Run): string {
  return `${detail}${sinceWords[status]}`;
}

async function reasonOf(
  { event, stepId, failures }: Pick<DueNotification, 'event' | 'stepId' | 'failures'>,
  run: Run,
  { runs, timezone }: Pick<Store, 'runs'> & { readonly timezone: string },
): Promise<string> {
  const took = tookOf(run);
  if (event === 'success') return `It succeeded${took}.`;
  if (event === 'fixed')
    return `It succeeded${took}, after ${failures === 1 ? 'a failure' : `${failures} failures in a row`}.`;
  if (event === 'cancelled')
    return `It was cancelled${byRequester(run)}${took === '' ? ' before it started' : took.replace('in', 'after')}.`;
  if (event === 'waiting_approval') {
    const { approvals } = await runs.approvals({ state: 'waiting', runId: run.run_id, limit: mostApprovals });
    const open = approvals.find(({ step_id: id }) => id === stepId);
    const until = open?.deadline ? ` until ${zonedTime(Date.parse(open.deadline), timezone)}` : '';
    const by = open ? ` by ${whoMayAnswer(open)}` : '';
    return `The step ${stepId} waits for an approval${by}${until}${open?.question ? `: ${open.question}` : '.'}`;
  }
  const { error } = run;
  const label = error?.step_id && labelOf(run, error.step_id);
  const why = plainText(error ? stepAndMessage(error, label) : 'the run failed').replace(/[.\s]+$/, '');
  // The first letter becomes a capital letter, unless it belongs to the id of a step.
  const first =
    error && label !== undefined && why.startsWith(`${label}: `) ? why.charAt(0) : why.charAt(0).toUpperCase();
  // The counts come first. After the message of a program, they would look like a part of that message.
  const counts = [
    ...(failures > 1 ? [`${ordinal(failures)} failure in a row`] : []),
    ...(run.attempt > 1 && run.steps.length < 2 ? [`${run.attempt} attempts`] : []),
  ];
  const again = counts.length > 0 ? `${counts.join(', ')}. ` : '';
  const hint = error?.hint === undefined ? '' : ` Hint: ${plainText(error.hint)}.`;
  const newer = failures === 0 ? ' A newer run of the job has already succeeded.' : '';
  return `${again}${first}${why.slice(1)}.${hint}${newer}`;
}

function commandOf({ notification: { event, runId, stepId }, run }: Report): string | null {
  // The reason has the command that starts the run.
  if (event === 'missed') return null;
  if (runId === null) return `flwd runs --job ${shellWord(run.job_id)}`;
  if (event === 'waiting_approval') {
    const step = `${runId} ${shellWord(stepId ?? '')}`;
    return `flwd approve ${step}, or flwd deny ${step}`;
  }
  if (event === 'late' && !isFinished(run.status)) return `flwd logs ${runId}, or flwd cancel ${runId}`;
  const isRerunnable = run.status === 'failed' && run.steps.length > 1 && run.parent === null;
  return `flwd logs ${runId}${isRerunnable ? `, or flwd rerun ${runId} --from failed` : ''}`;
}

/** Leaves out the time in which the run waited for an approval. */
function tookOf({ started_at: startedAt, finished_at: finishedAt, approval_ms: waitedMs }: Run): string {
  if (startedAt === null || finishedAt === null) return '';
  const seconds = Math.max(0, Date.parse(finishedAt) - Date.parse(startedAt) - waitedMs) / 1000;
  return ` in ${seconds < 60 ? `${Math.round(seconds * 10) / 10}s` : formatDuration(Math.round(seconds) * 1000)}`;
}

function ordinal(count: number): string {
  const last = count % 100 >= 11 && count % 100 <= 13 ? 0 : count % 10;
  return `${count}${['th', 'st', 'nd', 'rd'][last] ?? 'th'}`;
}

/**
 * The run that templates and webhooks get for a notification that is about a job and not about a run. Its id is empty.
 * It has a trigger, although nothing started it, because a template may read the trigger.
 */
export function noRunOf({ jobId, tenant, atMs }: LateNotice): Run {
  const none = { started_at: null, finished_at: null, exit_code: null };
  return {
    ...sampleRun(toTimestamp(atMs)),
    ...none,
    run_id: '',
    job_id: jobId,
    tenant,
    status: 'pending',
    trigger: { type: 'schedule' },
  };
}

const sampleId = 'run_00000000000000000000000000';

function sampleRun(at: string): Run {
  return {
    run_id: sampleId,
    job_id: 'flwd/test',
    tenant: 'default',
    status: 'success',
    reason: null,
    waiting: null,
    waiting_approval: [],
    approval_ms: 0,
    created_at: at,
    started_at: at,
    finished_at: at,
    args: {},
    result: null,
    exit_code: 0,
    error: null,
    steps: [],
    attempt: 1,
    rerun_of: null,
    parent: null,
    progress: null,
    priority: 0,
    limits: { log_bytes: 0 },
    grants: [],
    termination: null,
    left_behind: null,
    trigger: { type: 'api' },
    created_by: 'local',
    labels: {},
    source: { name: 'flwd', type: 'fs', revision: '' },
    security: { profile: 'secure', isolation: sampleIsolation },
    worker: null,
    cancel_requested_at: null,
    cancel_requested_by: null,
    request_id: null,
    trace: ownTrace(sampleId),
  };
}

const sampleIsolation: Run['security']['isolation'] = {
  pid_namespace: true,
  network: 'none',
  filesystem: 'workspace',
  environment: 'clean',
  no_new_privileges: true,
  uid: 0,
};
