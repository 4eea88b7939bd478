// The time axis of a run's steps. Time in which at least one step worked is true to scale. Time in which all steps only
// waited, for example for an approval, is drawn shorter.

import { spanWords } from '../../../client/took.ts';

export type Span = { readonly fromMs: number; readonly toMs: number };

export type Axis = {
  /** The position of a time on the axis, from 0 to 1. */
  readonly share: (ms: number) => number;
  readonly ticks: readonly { readonly share: number; readonly words: string }[];
  /** The total time in which at least one step worked. */
  readonly workMs: number;
  /** The pauses that are drawn shorter than they were. */
  readonly cuts: readonly Span[];
};

/** The greatest width of a pause, as a share of the width of all work. */
const widestPause = 0.045;
const mostTicks = 5;

/** @param all - the span from the start of the run to its end, or to now */
export function axisOf(work: readonly Span[], all: Span): Axis {
  const merged = union(work.filter(({ fromMs, toMs }) => toMs > fromMs));
  const workMs = merged.reduce((sum, { fromMs, toMs }) => sum + toMs - fromMs, 0);
  const pieces = piecesOf(merged, all);
  const longestPauseMs = workMs === 0 ? Number.POSITIVE_INFINITY : workMs * widestPause;
  const drawn = pieces.map((piece) => {
    const ms = piece.toMs - piece.fromMs;
    return { ...piece, drawnMs: piece.isWork ? ms : Math.min(ms, longestPauseMs) };
  });
  const totalMs = Math.max(
    1,
    drawn.reduce((sum, { drawnMs }) => sum + drawnMs, 0),
  );
  const share = (ms: number): number => {
    let before = 0;
    for (const { fromMs, toMs, drawnMs } of drawn) {
      if (ms <= fromMs) break;
      before += ms >= toMs ? drawnMs : (drawnMs * (ms - fromMs)) / (toMs - fromMs);
    }
    return before / totalMs;
  };
  return {
    share,
    ticks: ticksOf(drawn, workMs, share),
    workMs,
    cuts: drawn.filter(({ isWork, fromMs, toMs, drawnMs }) => !isWork && toMs - fromMs > drawnMs),
  };
}

type Piece = Span & { readonly isWork: boolean };

/** Splits the time into work and pauses, in order. */
function piecesOf(work: readonly Span[], all: Span): Piece[] {
  const pieces: Piece[] = [];
  let atMs = Math.min(all.fromMs, work[0]?.fromMs ?? all.fromMs);
  for (const span of work) {
    if (span.fromMs > atMs) pieces.push({ fromMs: atMs, toMs: span.fromMs, isWork: false });
    pieces.push({ ...span, isWork: true });
    atMs = span.toMs;
  }
  if (all.toMs > atMs) pieces.push({ fromMs: atMs, toMs: all.toMs, isWork: false });
  return pieces;
}

function union(spans: readonly Span[]): Span[] {
  const merged: { fromMs: number; toMs: number }[] = [];
  for (const { fromMs, toMs } of spans.toSorted((one, other) => one.fromMs - other.fromMs)) {
    const last = merged.at(-1);
    if (last && fromMs <= last.toMs) last.toMs = Math.max(last.toMs, toMs);
    else merged.push({ fromMs, toMs });
  }
  return merged;
}

const secondMs = 1_000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

const steps = [
  ...[1, 2, 5, 10, 20, 50].map((n) => ({ ms: n, unitMs: 1, unit: 'ms' })),
  ...[0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30].map((n) => ({ ms: n * secondMs, unitMs: secondMs, unit: 's' })),
  ...[1, 2, 5, 10, 15, 30].map((n) => ({ ms: n * minuteMs, unitMs: minuteMs, unit: 'min' })),
  ...[1, 2, 3, 6, 12].map((n) => ({ ms: n * hourMs, unitMs: hourMs, unit: 'h' })),
];

/**
 * Returns the ticks of the axis. They count only the time of work, so that they agree with the durations of the steps.
 */
function ticksOf(pieces: readonly Piece[], workMs: number, share: (ms: number) => number): Axis['ticks'] {
  const step = steps.find(({ ms }) => workMs / ms <= mostTicks) ?? {
    ms: Math.ceil(workMs / mostTicks / dayMs) * dayMs,
    unitMs: dayMs,
    unit: 'd',
  };
  const ticks: { share: number; words: string }[] = [];
  let doneMs = 0;
  for (const { fromMs, toMs, isWork } of pieces) {
    if (!isWork) continue;
    const endMs = doneMs + toMs - fromMs;
    for (let ms = ticks.length * step.ms; ms < endMs; ms = ticks.length * step.ms)
      ticks.push({ share: share(fromMs + ms - doneMs), words: `${ms / step.unitMs} ${step.unit}` });
    doneMs = endMs;
  }
  return ticks;
}

/** Returns, for example, "18 min of waiting drawn short"; null if everything is true to scale. */
export function cutWords({ cuts }: Pick<Axis, 'cuts'>): string | null {
  if (cuts.length === 0) return null;
  const ms = cuts.reduce((sum, { fromMs, toMs }) => sum + toMs - fromMs, 0);
  return ms < secondMs ? null : `${spanWords(ms)} of waiting drawn short`;
}
