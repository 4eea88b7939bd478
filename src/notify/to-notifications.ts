// Decides which notifications runs lead to: what each rule reports, how often, and whether at once or in a digest.

import { eventAtEnd, type NotifyEvent, type NotifyRule } from '../domain/notification.ts';
import type { Late } from '../domain/outcome/late.ts';
import { createId } from '../lib/ids.ts';
import type { NewHeartbeat } from '../store/heartbeats.ts';
import type { FailingJob, NewNotification, ReportedRun } from '../store/notifications.ts';
import type { Store } from '../store/open.ts';

export type Decided = {
  readonly added: readonly NewNotification[];
  /** The jobs whose count of failures has changed. A count of 0 means that the job works again. */
  readonly jobs: readonly FailingJob[];
};

/** `reported` is in the order of the journal. */
export async function decide(
  reported: readonly ReportedRun[],
  notifications: Pick<Store['notifications'], 'failing' | 'openDigests' | 'superseded'>,
  nowMs: number,
): Promise<Decided> {
  if (reported.length === 0) return { added: [], jobs: [] };
  const known = await notifications.failing([...new Set(reported.map(({ jobId }) => jobId))]);
  const jobs = new Map(known.map((job) => [keyOf(job), job]));
  const changed = new Map<string, FailingJob>();
  const hasDigest = reported.some(({ notify }) => notify.some(({ digestMs }) => digestMs !== undefined));
  const digests = new Map(hasDigest ? await notifications.openDigests(nowMs) : []);
  const superseded = new Set(await notifications.superseded(reported.filter(({ status }) => status === 'failed')));

  const added = reported.flatMap((run) => {
    const { tenant, jobId, runId, status } = run;
    const before = jobs.get(keyOf(run)) ?? { tenant, jobId, runId, failures: 0, told: {} };
    const told = { ...before.told };
    // The success of a run that was created before the run that failed says nothing about the failure. If a newer run
    // has succeeded before this run failed, the job works.
    const isOlder = runId < before.runId;
    const isOutdated = (isOlder && status === 'success') || superseded.has(runId);
    const failures = isOutdated ? before.failures : failuresAfter(status, before.failures);
    const newest = isOlder ? before.runId : runId;
    const job = { tenant, jobId, runId: newest, failures, told: failures === 0 ? {} : told };
    const rows = toNotifications(run, { isOutdated, before: isOutdated ? 0 : before.failures, told, digests, nowMs });
    if (failures !== before.failures) {
      jobs.set(keyOf(run), job);
      changed.set(keyOf(run), job);
    }
    return rows;
  });
  return { added, jobs: [...changed.values()] };
}

/** The successes after which a schedule calls an address, in the order of the journal. */
export function heartbeatsOf(reported: readonly ReportedRun[]): NewHeartbeat[] {
  return reported
    .filter(({ status }) => status === 'success')
    .flatMap(({ tenant, runId, atMs, notify }) =>
      notify.flatMap(({ heartbeat }) => (heartbeat ? [{ ...heartbeat, tenant, runId, successAtMs: atMs }] : [])),
    );
}

function failuresAfter(status: ReportedRun['status'], before: number): number {
  if (status === 'success') return 0;
  return status === 'failed' ? before + 1 : before;
}

function keyOf({ tenant, jobId }: Pick<FailingJob, 'tenant' | 'jobId'>): string {
  return `${tenant} ${jobId}`;
}

type Facts = {
  /** Whether the end of the run says nothing about whether the job works now. */
  readonly isOutdated: boolean;
  /** How many runs in a row had failed before this one. */
  readonly before: number;
  /** When each receiver was last notified of each failure of the job. The rules update it. */
  readonly told: Record<string, number>;
  /** When the open digest of each channel will be sent. The rules update it. */
  readonly digests: Map<string, number>;
  readonly nowMs: number;
};

function toNotifications(run: ReportedRun, facts: Facts): NewNotification[] {
  const { runId, eventId, stepId, status, fingerprint } = run;
  const { isOutdated, before, nowMs } = facts;
  const failures = status === 'failed' && !isOutdated ? before + 1 : before;
  return run.notify.flatMap((rule, n): NewNotification[] => {
    if (rule.heartbeat) return [];
    const event = withoutRepeats(rule, eventOf(rule, status, before), { ...facts, fingerprint });
    if (!event) return [];
    const { channel = null, webhook = null } = rule;
    const row = { id: createId('notice', nowMs), runId, eventId, n, event, stepId, failures, channel, webhook };
    return [{ ...row, createdAtMs: nowMs, ...dueOf(rule, facts) }];
  });
}

function eventOf(rule: NotifyRule, status: ReportedRun['status'], before: number): NotifyEvent | undefined {
  if (status === 'waiting_approval') return rule.on.find((event) => event === status);
  return status === 'pending' || status === 'running' ? undefined : eventAtEnd(rule, status, before);
}

/** How many messages a job sends within `repeat`, even if each of its failures reads differently. */
const mostFailuresTold = 5;

/**
 * With `repeat`, a rule reports each failure once within that time. After that, it reports the failure as still
 * failing. A failure with another fingerprint is reported at once.
 */
function withoutRepeats(
  rule: NotifyRule,
  event: NotifyEvent | undefined,
  { told, nowMs, fingerprint }: Pick<Facts, 'told' | 'nowMs'> & Pick<ReportedRun, 'fingerprint'>,
): NotifyEvent | undefined {
  const { repeatMs } = rule;
  if (repeatMs === undefined || (event !== 'failed' && event !== 'still_failing')) return event;
  const receiver = `${receiverOf(rule)} `;
  const key = `${receiver}${fingerprint}`;
  const lastMs = told[key];
  if (isTooSoon(lastMs, repeatMs, nowMs)) return undefined;
  const others = Object.entries(told)
    .filter(([one]) => one !== key && one.startsWith(receiver))
    .toSorted(([, a], [, b]) => b - a);
  const oldest = others[mostFailuresTold - 1];
  if (isTooSoon(oldest?.[1], repeatMs, nowMs)) return undefined;
  for (const [one] of others.slice(mostFailuresTold - 1)) delete told[one];
  told[key] = nowMs;
  return lastMs === undefined ? event : 'still_failing';
}

function isTooSoon(lastMs: number | undefined, repeatMs: number, nowMs: number): boolean {
  // If the stored time is in the future, the clock has been set back since.
  return lastMs !== undefined && lastMs <= nowMs && nowMs - lastMs < repeatMs;
}

/** Makes the notifications about something that is late, and returns who is notified. */
export function decideLate(
  late: Late,
  rules: readonly NotifyRule[],
  o: {
    readonly title: string | null;
    readonly nowMs: number;
    readonly lastTold: ReadonlyMap<string, number>;
    readonly digests: Map<string, number>;
  },
): { readonly added: readonly NewNotification[]; readonly told: Readonly<Record<string, number>> } {
  const { tenant, jobId, runId, scheduleId, detail, atMs } = late;
  const { title, nowMs } = o;
  const event: NotifyEvent = late.kind === 'missed' ? 'missed' : 'late';
  const told: Record<string, number> = {};
  const added = rules.flatMap((rule, n): NewNotification[] => {
    const { channel = null, webhook = null, repeatMs } = rule;
    const receiver = receiverOf(rule);
    const isRepeat = repeatMs !== undefined && isTooSoon(o.lastTold.get(receiver), repeatMs, nowMs);
    if (!rule.on.includes(event) || isRepeat) return [];
    told[receiver] = nowMs;
    const id = createId('notice', nowMs);
    const row = { id, runId, eventId: lateEventId, n, event, stepId: null, failures: 0, channel, webhook };
    return [
      { ...row, late: { tenant, jobId, scheduleId, detail, atMs, title }, createdAtMs: nowMs, ...dueOf(rule, o) },
    ];
  });
  return { added, told };
}

/**
 * Stands for the id of a journal event, because no event reports that something is late. A run is late only once, so
 * all these notifications may have the same number.
 */
const lateEventId = -1;

function receiverOf({ channel, webhook }: NotifyRule): string {
  return channel ?? new URL(webhook ?? '').origin;
}

/**
 * When a notification is due. A digest is sent some time after its first notification, and later notifications join it.
 */
function dueOf({ channel, digestMs }: NotifyRule, { digests, nowMs }: Pick<Facts, 'digests' | 'nowMs'>) {
  if (channel === undefined || digestMs === undefined) return { dueAtMs: nowMs, isInDigest: false };
  const dueAtMs = digests.get(channel) ?? nowMs + digestMs;
  digests.set(channel, dueAtMs);
  return { dueAtMs, isInDigest: true };
}
