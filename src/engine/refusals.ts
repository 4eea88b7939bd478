// What was refused, on its way into the audit log: apart from the answer, and so many a minute that nobody fills the disk
// by asking (ADR 0018).

import { type NewAuditEntry, ownEntry } from '../domain/audit.ts';
import type { Problem } from '../domain/problem.ts';
import { type Clock, toTimestamp } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import type { AuditStore } from '../store/audit/audit.ts';

export type Refusals = {
  /** Enters it soon, or counts it where there were too many. */
  readonly add: (entry: NewAuditEntry, problem: Problem) => void;
  /** Whether it is dealt with: whoever knows more has added it. */
  readonly knows: (problem: Problem) => boolean;
  /** Resolves once all that was added is in. */
  readonly close: () => Promise<void>;
};

const refusalWindowMs = 60_000;
/** A minute. Those nobody knows must not crowd out those somebody knows. */
const mostOfOne = 20;
const mostOfUnknown = 100;
const mostOfKnown = 300;
/** Of one address, what is too much by its nature needs to be said once. */
const mostOfLimited = 1;
/** Told apart in a minute. */
const mostTold = 1_000;
const mostNamed = 10;

type Span = {
  readonly sinceMs: number;
  readonly counts: Map<string, number>;
  known: number;
  unknown: number;
  leftOut: number;
  readonly leftOutOf: Map<string, number>;
};

export function createRefusals(o: {
  readonly audit: Pick<AuditStore, 'record'>;
  readonly clock: Clock;
  readonly log: Logger;
}): Refusals {
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

  /** Says what was left out since it began, and begins anew. */
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
    const told = span.leftOutOf.has(who) || span.leftOutOf.size < mostTold ? who : 'others';
    span.leftOutOf.set(told, (span.leftOutOf.get(told) ?? 0) + 1);
    timer ??= setTimeout(turnOver, Math.max(0, span.sinceMs + refusalWindowMs - clock.now())).unref();
    return true;
  }

  return {
    add(entry, problem) {
      dealtWith.add(problem);
      if (clock.now() - span.sinceMs >= refusalWindowMs) turnOver();
      if (!isTooMuch(entry)) write(entry);
    },
    knows: (problem) => dealtWith.has(problem),
    async close() {
      turnOver();
      await Promise.all(writing);
    },
  };
}

function spanFrom(sinceMs: number): Span {
  return { sinceMs, counts: new Map(), known: 0, unknown: 0, leftOut: 0, leftOutOf: new Map() };
}
