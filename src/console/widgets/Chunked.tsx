// A list of any length. If it is long, only the rows near the visible area are drawn; empty boxes stand for the others.

import { type ReactNode, useEffect, useMemo, useRef, useState } from 'react';

const chunkRows = 100;
const allDrawn = 300;
const nearPx = 2_000;

type ChunkedProps<Row> = {
  readonly rows: readonly Row[];
  /** Names the whole list; a part of it adds where it begins. */
  readonly label: string;
  readonly likelyRowPx: number;
  /** Draws some of the rows as a list with this name. */
  readonly children: (rows: readonly Row[], label: string) => ReactNode;
};

export function Chunked<Row>({ rows, label, likelyRowPx, children }: ChunkedProps<Row>): ReactNode {
  const chunks = useMemo(
    () =>
      Array.from({ length: Math.ceil(rows.length / chunkRows) }, (_, index) =>
        rows.slice(index * chunkRows, (index + 1) * chunkRows),
      ),
    [rows],
  );
  if (rows.length <= allDrawn) return children(rows, label);
  return (
    <div className="chunks">
      {chunks.map((some, index) => (
        <Chunk key={index} likelyPx={some.length * likelyRowPx}>
          {() => children(some, index === 0 ? label : `${label} from ${index * chunkRows + 1}`)}
        </Chunk>
      ))}
    </div>
  );
}

function Chunk({ likelyPx, children }: { readonly likelyPx: number; readonly children: () => ReactNode }): ReactNode {
  const frame = useRef<HTMLDivElement>(null);
  const [isNear, setNear] = useState(false);
  const [height, setHeight] = useState<number | null>(null);
  useEffect(() => {
    const watched = frame.current;
    if (!watched) return undefined;
    const watch = new IntersectionObserver(
      (entries) => {
        const last = entries.at(-1);
        if (!last) return;
        if (!last.isIntersecting && watched.firstElementChild) setHeight(last.boundingClientRect.height);
        setNear(last.isIntersecting);
      },
      { rootMargin: `${nearPx}px` },
    );
    watch.observe(watched);
    return () => watch.disconnect();
  }, []);
  return (
    <div ref={frame} {...(!isNear && { style: { height: height ?? likelyPx } })}>
      {isNear && children()}
    </div>
  );
}
