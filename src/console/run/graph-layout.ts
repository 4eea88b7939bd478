// Lays out the step graph: each step right of the steps that it needs; lines that cross a column pass below its steps.

import type { Step } from '../words.ts';

type GraphStep = Pick<Step, 'step_id' | 'needs'>;
export type Point = { readonly x: number; readonly y: number };

export const box = { width: 168, height: 40, gapX: 56, gapY: 14 };

export function layOut(steps: readonly GraphStep[]): {
  readonly places: ReadonlyMap<string, Point>;
  /**
   * From the right edge of a step to the left edge of one that needs it, with two points for each column in between.
   */
  readonly edges: readonly { readonly key: string; readonly points: readonly Point[] }[];
  readonly width: number;
  readonly height: number;
} {
  const depths = depthsOf(steps);
  const xOf = (depth: number): number => depth * (box.width + box.gapX);
  const bottoms = new Map<number, number>();
  const places = new Map(
    steps.map((step) => {
      const depth = depths.get(step.step_id) ?? 0;
      const y = bottoms.get(depth) ?? 0;
      bottoms.set(depth, y + box.height + box.gapY);
      return [step.step_id, { x: xOf(depth), y }];
    }),
  );
  // All lines from a step share one path through a column.
  const ways = new Map<string, number>();
  const wayOf = (from: string, depth: number): number => {
    const key = `${depth} ${from}`;
    const y = ways.get(key) ?? bottoms.get(depth) ?? 0;
    if (!ways.has(key)) bottoms.set(depth, y + box.gapY);
    ways.set(key, y);
    return y;
  };
  const edges = steps.flatMap(({ step_id: id, needs }) =>
    needs.flatMap((need) => {
      const [from, to] = [places.get(need), places.get(id)];
      const [first, last] = [depths.get(need), depths.get(id)];
      if (!from || !to || first === undefined || last === undefined) return [];
      const between = Array.from({ length: last - first - 1 }, (_, index) => first + 1 + index);
      const points = [
        { x: from.x + box.width, y: from.y + box.height / 2 },
        ...between.flatMap((depth) => {
          const y = wayOf(need, depth);
          return [
            { x: xOf(depth), y },
            { x: xOf(depth) + box.width, y },
          ];
        }),
        { x: to.x, y: to.y + box.height / 2 },
      ];
      return [{ key: `${need} ${id}`, points }];
    }),
  );
  const width = xOf(Math.max(...depths.values()) + 1) - box.gapX;
  return { places, edges, width, height: Math.max(...bottoms.values()) - box.gapY };
}

/** The length of the longest chain of steps before each step. */
function depthsOf(steps: readonly GraphStep[]): Map<string, number> {
  const byId = new Map(steps.map((step) => [step.step_id, step]));
  const depths = new Map<string, number>();
  const depthOf = (id: string): number => {
    const known = depths.get(id);
    if (known !== undefined) return known;
    depths.set(id, 0);
    const needs = (byId.get(id)?.needs ?? []).filter((need) => byId.has(need));
    const depth = needs.length === 0 ? 0 : 1 + Math.max(...needs.map(depthOf));
    depths.set(id, depth);
    return depth;
  };
  for (const { step_id: id } of steps) depthOf(id);
  return depths;
}
