// Records refused requests in the audit log, after the answer and at a limited rate, so that nobody can fill the disk
// with requests (ADR 0018).

import { type NewAuditEntry, ownEntry } from '../domain/audit.ts';
import type { Problem } from '../domain/problem.ts';
import { type Clock, toTimestamp } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import type { AuditStore } from '../store/audit/audit.ts';

export type Refusals = ReturnType<typeof createRefusals>;

const refusalWindowMs = 60_000;
/**
 * How many refusals are recorded in a minute: of one caller, of all anonymous callers together, and of all known
 * callers together. Anonymous callers must not crowd out known callers.
 */
const mostOfOne = 20;
const mostOfUnknown = 100;
const mostOfKnown = 300;
/** For each caller, one entry per minute is enough to say that the rate limit was reached. */
const mostOfLimited = 1;
/** How many callers are counted separately in a minute. */
const mostCallers = 1_000;
const mostNamed = 10;

export function createRefusals(o: {
  readonly audit: Pick<AuditStore, 'record'>;
  readonly clock: Clock;
  readonly log: Logger;
}) {
  const { clock, log } = o;
  const dealtWith = new WeakSet<Problem>();
  const writing = new Set<Promise<void>>();
  let span = spanFrom(clock.now());
  let timer: NodeJS.Timeout | undefined;

  function write(entry: NewAuditEntry): void {
    const work = o.audit
      .record(entry)
      .catch((error: unknown) => log.warn({ err: error, audit: entry }, 'the audit log could not be written'))
      .finally(() => writing.delete(work));
    writing.add(work);
  }

  /** Records how many refusals were left out in this window, and starts the next window. */
  function turnOver(): void {
    clearTimeout(timer);
    timer = undefined;
    const { sinceMs, leftOut, leftOutOf } = span;
    span = spanFrom(clock.now());
    if (leftOut === 0) return;
    const most = [...leftOutOf].toSorted(([, a], [, b]) => b - a).slice(0, mostNamed);
    const detail = { count: leftOut, since: toTimestamp(sinceMs), by: most.map(([who, count]) => ({ who, count })) };
    write(ownEntry('system:audit', { action: 'audit.omit', object: null, tenant: '*', detail }));
  }

  function isTooMuch({ actor, from, reason }: NewAuditEntry): boolean {
    const isKnown = actor !== 'anonymous';
    const who = isKnown ? actor : (from ?? 'unknown');
    const isLimited = reason === 'rate-limited';
    const key = isLimited ? `${who} ${reason}` : who;
    const count = (span.counts.get(key) ?? 0) + 1;
    const inAll = isKnown ? span.known : span.unknown;
    const isOver = count > (isLimited ? mostOfLimited : mostOfOne) || inAll >= (isKnown ? mostOfKnown : mostOfUnknown);
    if (!isOver) {
      span.counts.set(key, count);
      if (isKnown) span.known += 1;
      else span.unknown += 1;
      return false;
    }
    span.leftOut += 1;
    const counted = span.leftOutOf.has(who) || span.leftOutOf.size < mostCallers ? who : 'others';
    span.leftOutOf.set(counted, (span.leftOutOf.get(counted) ?? 0) + 1);
    timer ??= setTimeout(turnOver, Math.max(0, span.sinceMs + refusalWindowMs - clock.now())).unref();
    return true;
  }

  return {
    /** Records the refusal soon, or only counts it when there are too many. */
    add(entry: NewAuditEntry, problem: Problem): void {
      dealtWith.add(problem);
      if (clock.now() - span.sinceMs >= refusalWindowMs) turnOver();
      if (!isTooMuch(entry)) write(entry);
    },
    /** Whether this refusal has been recorded already, by a part that knows more about it. */
    knows: (problem: Problem): boolean => dealtWith.has(problem),
    /** Resolves when everything has been written. */
    async close(): Promise<void> {
      turnOver();
      await Promise.all(writing);
    },
  };
}

function spanFrom(sinceMs: number) {
  const counts = new Map<string, number>();
  return { sinceMs, counts, known: 0, unknown: 0, leftOut: 0, leftOutOf: new Map<string, number>() };
}
