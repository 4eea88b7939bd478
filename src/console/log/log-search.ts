// The search in a log. The server finds the matching lines; the page remembers which match is shown.

import { useEffect, useState } from 'react';
import { errorText } from '../../client/error-words.ts';
import { type FoundLines, findLines, type LogFilter } from '../../client/log-pages.ts';
import { useClient } from '../session/session.tsx';
import { countWords } from '../words.ts';

export type LogSearch = {
  /** The line of the match that is shown. */
  readonly seq: number | null;
  readonly words: string;
  readonly hasOthers: boolean;
  /** Searches again. */
  readonly again: () => void;
  readonly turn: (by: 1 | -1) => void;
};

type Found = FoundLines & {
  readonly at: number;
  /** The line that was shown before the search was repeated. */
  readonly near: number | null;
  readonly note: string;
};

const nothing: Found = { seqs: [], isCut: false, at: 0, near: null, note: '' };
const searching: Found = { ...nothing, note: 'searching…' };
const searchMs = 60_000;

/** Searches again when the filter changes, and stays near the line that was shown. An empty text finds nothing. */
export function useLogSearch(runId: string, { level, stepId, attempt = null }: LogFilter, text: string): LogSearch {
  const client = useClient();
  const [asked, setAsked] = useState(0);
  const [found, setFound] = useState<Found>(nothing);
  const [sought, setSought] = useState(text);
  if (sought !== text) {
    setSought(text);
    setFound(searching);
  }

  useEffect(() => {
    if (text === '') return setFound(nothing);
    setFound((before) => ({ ...searching, near: seqOf(before) ?? before.near }));
    const ending = new AbortController();
    const signal = AbortSignal.any([ending.signal, AbortSignal.timeout(searchMs)]);
    findLines({ client, runId, filter: { level, stepId, attempt }, signal }, text).then(
      ({ seqs, isCut }) => {
        if (ending.signal.aborted) return;
        setFound(({ near }) => {
          const nearest = near === null ? -1 : seqs.findIndex((one) => one >= near);
          const at = nearest < 0 ? Math.max(0, seqs.length - 1) : nearest;
          return { seqs, isCut, at, near, note: seqs.length === 0 ? 'no match' : '' };
        });
      },
      (error: unknown) => {
        if (!ending.signal.aborted) setFound(({ near }) => ({ ...nothing, near, note: errorText(error) }));
      },
    );
    return () => ending.abort();
  }, [client, runId, level, stepId, attempt, text, asked]);

  const turn = (by: 1 | -1): void =>
    setFound((now) => ({ ...now, at: (now.at + by + now.seqs.length) % Math.max(1, now.seqs.length) }));
  const count = countWords(found.seqs.length);
  return {
    seq: seqOf(found),
    words: found.note || `${countWords(found.at + 1)} of ${found.isCut ? 'the last ' : ''}${count}`,
    hasOthers: found.seqs.length > 1,
    turn,
    again: () => setAsked((count) => count + 1),
  };
}

function seqOf({ seqs, at }: Found): number | null {
  return seqs[at] ?? null;
}
