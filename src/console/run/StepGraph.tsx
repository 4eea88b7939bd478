// The steps of a run as a graph: each stands right of what it needs.

import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { isKept, keptWords } from '../../client/shown-steps.ts';
import { Scrolls } from '../widgets/Notes.tsx';
import { type Run, statusLooks } from '../words.ts';
import { box, layOut, type Point } from './graph-layout.ts';

const longestName = 20;

export function StepGraph(o: {
  readonly run: Run;
  readonly chosen: string | null;
  readonly hrefOf: (id: string) => string;
}): ReactNode {
  // The instances of a group stand for it in the list below; in the graph it is one.
  const steps = o.run.steps.filter(({ instance_of: of }) => of === null);
  const chosen = o.run.steps.find(({ step_id: id }) => id === o.chosen);
  const chosenId = chosen?.instance_of ?? chosen?.step_id;
  const { places, edges, width, height } = layOut(steps);
  return (
    <Scrolls label="Graph of the steps" className="graph">
      <svg width={width + 2} height={height + 2} viewBox={`-1 -1 ${width + 2} ${height + 2}`}>
        <title>Steps and what they need</title>
        {edges.map(({ key, points }) => (
          <path key={key} className="edge" d={pathThrough(points)} />
        ))}
        {steps.map((step) => {
          const { step_id: id, status } = step;
          const place = places.get(id) ?? { x: 0, y: 0 };
          const { glyph, word } = statusLooks[status];
          const isChosen = id === chosenId;
          return (
            <Link
              key={id}
              href={o.hrefOf(id)}
              aria-label={`${id}: ${word}${isKept(o.run, step) ? `, ${keptWords}` : ''}`}
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

/** Bent from column to column, straight through a column. */
function pathThrough([first, ...rest]: readonly Point[]): string {
  if (!first) return '';
  let from = first;
  const parts = rest.map((to, index) => {
    const bend = (to.x - from.x) / 2;
    const part =
      index % 2 === 0 ? `C${from.x + bend} ${from.y} ${to.x - bend} ${to.y} ${to.x} ${to.y}` : `L${to.x} ${to.y}`;
    from = to;
    return part;
  });
  return [`M${first.x} ${first.y}`, ...parts].join(' ');
}
