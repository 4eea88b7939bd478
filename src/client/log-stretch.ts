// A stretch of a log's lines without gaps, as those hold it who show a log: at most so many lines, so that it stays light.

export type LogStretch<Line> = {
  readonly lines: readonly Line[];
  /** Nothing comes before the first of them. */
  readonly isFromStart: boolean;
  /** Nothing comes after the last of them but what the run has yet to print. */
  readonly isToEnd: boolean;
};

/** What a run printed last. Someone who reads further up is not moved: where there is no room, it is left for later. */
export function appended<Line, Held extends LogStretch<Line>>(
  held: Held,
  added: readonly Line[],
  { mostLines, isFollowed }: { readonly mostLines: number; readonly isFollowed: boolean },
): Held {
  if (!held.isToEnd || added.length === 0) return held;
  const lines = [...held.lines, ...added];
  if (lines.length <= mostLines) return { ...held, lines };
  if (!isFollowed) return { ...held, isToEnd: false };
  return { ...held, lines: lines.slice(-mostLines), isFromStart: false };
}

/** What comes before the first line. */
export function prepended<Line, Held extends LogStretch<Line>>(
  held: Held,
  before: Pick<LogStretch<Line>, 'lines' | 'isFromStart'>,
  mostLines: number,
): Held {
  const lines = [...before.lines, ...held.lines];
  const isToEnd = held.isToEnd && lines.length <= mostLines;
  return { ...held, lines: lines.slice(0, mostLines), isFromStart: before.isFromStart, isToEnd };
}

/** What comes after the last line. */
export function extended<Line, Held extends LogStretch<Line>>(
  held: Held,
  after: { readonly lines: readonly Line[]; readonly isLast: boolean },
  mostLines: number,
): Held {
  const lines = [...held.lines, ...after.lines];
  const cut = Math.max(0, lines.length - mostLines);
  return { ...held, lines: lines.slice(cut), isFromStart: held.isFromStart && cut === 0, isToEnd: after.isLast };
}
