// Figures from samples, and how they are printed.

export type Figure = {
  /** What was measured, as docs/benchmarks.md names it. */
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** The same work without flwd, in the same run. */
  readonly floor?: number;
  /** value ÷ floor, or floor-relative rate; what the goal is about. */
  readonly ratio?: number;
  readonly goal: string;
  readonly holds: boolean;
};

export function median(samples: readonly number[]): number {
  return percentile(samples, 50);
}

/** Nearest rank. */
export function percentile(samples: readonly number[], p: number): number {
  const sorted = [...samples].toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil((p / 100) * sorted.length) - 1))] ?? Number.NaN;
}

export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

/** Works through `count` tasks, at most `width` at a time. */
export async function pool(count: number, width: number, task: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await task(next++);
  };
  await Promise.all(Array.from({ length: width }, worker));
}

export function atMost(name: string, unit: string, value: number, limit: number, floor?: number): Figure {
  return compare(name, unit, value, floor, `≤ ${Number(limit.toFixed(2))}`, (judged) => judged <= limit);
}

export function atLeast(name: string, unit: string, value: number, limit: number, floor?: number): Figure {
  return compare(name, unit, value, floor, `≥ ${limit}`, (judged) => judged >= limit);
}

function compare(
  name: string,
  unit: string,
  value: number,
  floor: number | undefined,
  goal: string,
  test: (judged: number) => boolean,
): Figure {
  if (floor === undefined) return { name, value, unit, goal: `${goal} ${unit}`, holds: test(value) };
  const ratio = value / floor;
  return { name, value, unit, floor, ratio, goal: `${goal} × floor`, holds: test(ratio) };
}
