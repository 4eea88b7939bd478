// Turns samples into figures and judges them.

export type Figure = {
  /** The name in docs/benchmarks.md. */
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** The time of a minimal program that does the same work, measured in the same run. */
  readonly floor?: number;
  /** value ÷ floor. */
  readonly ratio?: number;
  /** Minimum and maximum of the samples; `value` is their median. */
  readonly spread?: readonly [number, number];
  readonly goal: string;
  /** The limit that must hold even if the goal is not met. */
  readonly gate?: string;
  readonly verdict: Verdict;
};

export type Verdict = 'met' | 'within the gate' | 'missed';

/**
 * A limit for the value. If there is a floor, the limit is a multiple of it, for the part of the value above `plus`.
 */
export type Target = {
  readonly goal: number;
  readonly gate?: number;
  readonly floor?: number;
  readonly plus?: number;
};

/** Several samples are replaced by their median. */
type Value = number | readonly number[];

export function median(samples: readonly number[]): number {
  return percentile(samples, 50);
}

/** Uses the nearest-rank method. */
export function percentile(samples: readonly number[], p: number): number {
  const sorted = [...samples].toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil((p / 100) * sorted.length) - 1))] ?? Number.NaN;
}

export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

export async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const startedAt = nowMs();
  await work();
  return nowMs() - startedAt;
}

/** Runs `count` tasks, at most `width` at a time. */
export async function pool(count: number, width: number, task: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await task(next++);
  };
  await Promise.all(Array.from({ length: width }, worker));
}

export function atMost(name: string, unit: string, value: Value, target: Target): Figure {
  return judge({ name, unit, value }, target, '≤', (judged, limit) => judged <= limit);
}

export function atLeast(name: string, unit: string, value: Value, target: Target): Figure {
  return judge({ name, unit, value }, target, '≥', (judged, limit) => judged >= limit);
}

function judge(
  { name, unit, value: given }: { name: string; unit: string; value: Value },
  { goal, gate, floor, plus = 0 }: Target,
  sign: string,
  holds: (judged: number, limit: number) => boolean,
): Figure {
  const value = typeof given === 'number' ? given : median(given);
  const judged = floor === undefined ? value : (value - plus) / floor;
  const claim = (limit: number): string => {
    const said = `${sign} ${Number(limit.toFixed(2))}`;
    if (floor === undefined) return `${said} ${unit}`;
    return `${said} × floor${plus > 0 ? ` + ${plus} ${unit}` : ''}`;
  };
  const within = gate !== undefined && holds(judged, gate) ? 'within the gate' : 'missed';
  return {
    name,
    value,
    unit,
    ...(floor === undefined ? {} : { floor, ratio: value / floor }),
    ...(typeof given === 'number' ? {} : { spread: [Math.min(...given), Math.max(...given)] as const }),
    goal: claim(goal),
    ...(gate === undefined ? {} : { gate: claim(gate) }),
    verdict: holds(judged, goal) ? 'met' : within,
  };
}
