// Consecutive lines of a log, held by a view of the log. Their number is limited, so that the view stays fast.

export type LogStretch<Line> = {
  readonly lines: readonly Line[];
  /** The first line is the start of the log. */
  readonly isFromStart: boolean;
  /** The last line is the newest one so far. */
  readonly isToEnd: boolean;
};

/**
 * Adds new lines at the end. If there is no room and the user is reading further up, the new lines are dropped and must
 * be read again later.
 */
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

/** Adds lines before the first one. */
export function prepended<Line, Held extends LogStretch<Line>>(
  held: Held,
  before: Pick<LogStretch<Line>, 'lines' | 'isFromStart'>,
  mostLines: number,
): Held {
  const lines = [...before.lines, ...held.lines];
  const isToEnd = held.isToEnd && lines.length <= mostLines;
  return { ...held, lines: lines.slice(0, mostLines), isFromStart: before.isFromStart, isToEnd };
}

/** Adds lines after the last one. */
export function extended<Line, Held extends LogStretch<Line>>(
  held: Held,
  after: { readonly lines: readonly Line[]; readonly isLast: boolean },
  mostLines: number,
): Held {
  const lines = [...held.lines, ...after.lines];
  const cut = Math.max(0, lines.length - mostLines);
  return { ...held, lines: lines.slice(cut), isFromStart: held.isFromStart && cut === 0, isToEnd: after.isLast };
}
