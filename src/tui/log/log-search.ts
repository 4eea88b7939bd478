// The search in the whole log of a run. The user moves from one match to the next.

import { useState } from 'react';
import { errorText } from '../../client/error-words.ts';
import { findLines } from '../../client/log-pages.ts';
import type { LogLevel } from '../../domain/log-line.ts';
import { useScreenContext } from '../screen.ts';
import type { Log } from './log-state.ts';
import { nextFound, scrolledTo, topOf } from './log-view.ts';

export type LogSearch = {
  readonly text: string;
  /** The `seq` of the matching lines. */
  readonly found: readonly number[];
  /** There are more matches before these. */
  readonly isCut: boolean;
  readonly current: number | null;
  readonly note: string;
  readonly find: (text: string) => void;
  readonly go: (direction: 1 | -1) => void;
  readonly clear: () => void;
};

const nothing = { text: '', found: [], isCut: false, current: null, note: '' } as const;

export function useLogSearch(
  o: { readonly runId: string; readonly level: LogLevel; readonly stepId: string | null; readonly rows: number },
  log: Log,
): LogSearch {
  const { client } = useScreenContext();
  const [search, setSearch] = useState<Pick<LogSearch, 'text' | 'found' | 'isCut' | 'current' | 'note'>>(nothing);

  function show(seq: number): void {
    const scrolled = scrolledTo(log.view, seq, o.rows);
    if (scrolled) log.change((view) => scrolledTo(view, seq, o.rows) ?? view);
    else log.jump(seq);
  }

  async function findAll(text: string): Promise<void> {
    setSearch({ ...nothing, text, note: 'searching…' });
    try {
      const { level, stepId } = o;
      const source = { client, runId: o.runId, filter: { level, stepId }, signal: AbortSignal.timeout(60_000) };
      const { seqs: found, isCut } = await findLines(source, text);
      const from = log.view.lines[topOf(log.view, o.rows)]?.seq ?? 0;
      const current = log.view.isFollowing ? nextFound(found, null, -1) : nextFound(found, from - 1, 1);
      setSearch({ text, found, isCut, current, note: '' });
      if (current !== null) show(current);
    } catch (error) {
      setSearch({ ...nothing, text, note: errorText(error) });
    }
  }

  return {
    ...search,
    find: (text) => (text === '' ? setSearch(nothing) : void findAll(text)),
    go(direction) {
      const current = nextFound(search.found, search.current, direction);
      if (current === null) return;
      setSearch({ ...search, current });
      show(current);
    },
    clear: () => setSearch(nothing),
  };
}

export function searchWords({ text, found, isCut, current, note }: LogSearch): string {
  if (text === '') return '';
  if (note !== '') return `/${text}: ${note}`;
  if (found.length === 0) return `/${text}: no match`;
  return `/${text}: ${current === null ? '' : `${found.indexOf(current) + 1} of `}${isCut ? 'the last ' : ''}${found.length}`;
}
