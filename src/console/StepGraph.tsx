// The steps of a run as a graph: each stands right of what it needs.

import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { Scrolls } from './Notes.tsx';
import { type Step, statusLooks } from './words.ts';

const box = { width: 168, height: 40, gapX: 56, gapY: 14 };
const longestName = 20;

export function StepGraph(o: {
  readonly steps: readonly Step[];
  readonly chosen: string | null;
  readonly hrefOf: (id: string) => string;
}): ReactNode {
  // The instances of a group stand for it in the list below; in the graph it is one.
  const steps = o.steps.filter(({ instance_of: of }) => of === null);
  const chosen = o.steps.find(({ step_id: id }) => id === o.chosen);
  const chosenId = chosen?.instance_of ?? chosen?.step_id;
  const depths = depthsOf(steps);
  const rowsUsed = new Map<number, number>();
  const places = new Map(
    steps.map((step) => {
      const depth = depths.get(step.step_id) ?? 0;
      const row = rowsUsed.get(depth) ?? 0;
      rowsUsed.set(depth, row + 1);
      return [step.step_id, { x: depth * (box.width + box.gapX), y: row * (box.height + box.gapY) }];
    }),
  );
  const width = (Math.max(...depths.values()) + 1) * (box.width + box.gapX) - box.gapX;
  const height = Math.max(...rowsUsed.values()) * (box.height + box.gapY) - box.gapY;
  return (
    <Scrolls label="Graph of the steps" className="graph">
      <svg width={width + 2} height={height + 2} viewBox={`-1 -1 ${width + 2} ${height + 2}`}>
        <title>Steps and what they need</title>
        {steps.flatMap((step) =>
          step.needs.map((need) => {
            const [from, to] = [places.get(need), places.get(step.step_id)];
            if (!from || !to) return null;
            const [x1, y1, x2, y2] = [from.x + box.width, from.y + box.height / 2, to.x, to.y + box.height / 2];
            const bend = (x2 - x1) / 2;
            return (
              <path
                key={`${need} ${step.step_id}`}
                className="edge"
                d={`M${x1} ${y1} C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`}
              />
            );
          }),
        )}
        {steps.map(({ step_id: id, status }) => {
          const place = places.get(id) ?? { x: 0, y: 0 };
          const { glyph, word } = statusLooks[status];
          const isChosen = id === chosenId;
          return (
            <Link
              key={id}
              href={o.hrefOf(id)}
              aria-label={`${id}: ${word}`}
              aria-current={isChosen ? 'true' : undefined}
            >
              <g
                transform={`translate(${place.x} ${place.y})`}
                className={`node node-${status}${isChosen ? ' chosen' : ''}`}
              >
                <rect width={box.width} height={box.height} rx="6" />
                <text x="12" y={box.height / 2 + 5}>
                  {glyph} {id.length > longestName ? `${id.slice(0, longestName - 1)}…` : id}
                </text>
              </g>
            </Link>
          );
        })}
      </svg>
    </Scrolls>
  );
}

/** How many steps there are at most before each. */
function depthsOf(steps: readonly Step[]): Map<string, number> {
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
