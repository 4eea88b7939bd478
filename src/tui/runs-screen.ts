// The screen of all runs, newest first and live.

import { Box } from 'ink';
import { createElement as h, type ReactElement, useState } from 'react';
import { percentWords } from '../client/percent.ts';
import { workWords } from '../client/took.ts';
import type { AnswerOf } from '../contract/operations.ts';
import { stepAndMessage } from '../domain/outcome/step-and-message.ts';
import { type ListedStatus, listedStatuses } from '../domain/run.ts';
import { cells, line, type Span, typed } from './line.ts';
import { useRunEvents } from './run/run-events.ts';
import { type Body, type ScreenProps, useLoaded, usePresses, useScreenContext } from './screen.ts';
import { editText, emptyText, type TextEdit } from './text-edit.ts';
import { moved, windowAround } from './windowed.ts';
import { atTime, shownStatus, statusLooks } from './words.ts';

type RunRow = AnswerOf<'listRuns'>['runs'][number];

const everyMs = 10_000;
const statsEveryMs = 30_000;
/** Narrower terminals have no room for today's figures. */
const columnsForStats = 110;
const pageRows = 100;
const mostRows = 1000;
const filters: readonly (ListedStatus | null)[] = [null, ...listedStatuses];

export function RunsScreen({ isActive }: ScreenProps): Body {
  const { client, rows, columns, open } = useScreenContext();
  const [status, setStatus] = useState<ListedStatus | null>(null);
  const [search, setSearch] = useState<TextEdit>(emptyText);
  const [isSearching, setSearching] = useState(false);
  const [chosenId, setChosenId] = useState<string | null>(null);
  const [limit, setLimit] = useState(pageRows);
  const nudge = useRunEvents(isActive, null);
  const query = { limit, ...(status && { status }), ...(search.text && { q: search.text }) };
  const { value, error } = useLoaded({ isActive, key: JSON.stringify(query), everyMs, nudge }, (signal) =>
    client.call('listRuns', { query, signal }),
  );

  const isWide = columns >= columnsForStats;
  const { value: stats } = useLoaded({ isActive: isActive && isWide, key: 'stats', everyMs: statsEveryMs }, (signal) =>
    client.call('getStats', { query: { since: startOfToday() }, signal }),
  );
  const runs = value?.runs ?? [];
  const chosen = Math.max(
    0,
    runs.findIndex(({ run_id: id }) => id === chosenId),
  );
  const listRows = rows - 3;
  const keys = isSearching
    ? 'search ids, arguments, errors   Enter: done   Esc: clear'
    : '↑↓ move  Enter: open  s: status  /: search  q: back';
  usePresses(isActive, keys, (press) => {
    if (isSearching) {
      const edited = editText(search, press);
      if (edited) setSearch(edited);
      if (press.key === 'enter' || press.key === 'esc') setSearching(false);
      if (press.key === 'esc') setSearch(emptyText);
      if (edited || press.key === 'enter' || press.key === 'esc') return true;
    }
    const to = moved(chosen, press.key, runs.length, listRows);
    if (to !== null) {
      setChosenId(runs[to]?.run_id ?? null);
      if (to >= runs.length - listRows && runs.length === limit && limit < mostRows) setLimit(limit + pageRows);
      return true;
    }
    const run = runs[chosen];
    if (press.key === 's') setStatus(filters[(filters.indexOf(status) + 1) % filters.length] ?? null);
    else if (press.key === '/') setSearching(true);
    else if (press.key === 'esc' && search.text !== '') setSearch(emptyText);
    else if (press.key === 'enter' && run) open({ name: 'run', runId: run.run_id });
    else return press.key === 'enter';
    return true;
  });

  if (!isActive) return null;
  const { start, end } = windowAround(runs.length, chosen, listRows);
  const title: (Span | string)[] = [{ text: 'Runs', isBold: true }];
  if (status) title.push(' ', { text: status, colour: statusLooks[status].colour });
  if (isSearching) title.push(' /', ...typed(search.text, search.cursor, 30));
  else if (search.text) title.push(` /${search.text}`);
  return h(
    Box,
    { flexDirection: 'column', height: rows },
    cells(
      [
        { spans: title },
        ...(isWide && stats ? [{ spans: todayOf(stats.totals), width: 48 }] : []),
        { spans: [value ? countOf(runs.length, value.total) : ''], width: 24 },
      ],
      'title',
    ),
    ...runs.slice(start, end).map((run, index) => runLine(run, start + index === chosen, columns)),
    value === null && error === null && line(['loading…'], 'loading'),
    value !== null && runs.length === 0 && line([status || search.text ? 'No runs match.' : 'No runs yet.'], 'none'),
    h(Box, { key: 'space', flexGrow: 1 }),
    line([error === null ? belowOf(runs[chosen]) : { text: error, colour: 'red' }], 'below'),
  );
}

function startOfToday(): string {
  return new Date(new Date().setHours(0, 0, 0, 0)).toISOString();
}

function todayOf({ runs, failed, success_rate: rate }: AnswerOf<'getStats'>['totals']): (Span | string)[] {
  return [
    `today ${runs} ended, `,
    { text: `${failed} failed`, colour: failed > 0 ? 'red' : 'gray' },
    rate === null ? '' : `, ${percentWords(rate)} success`,
  ];
}

function countOf(shown: number, total: number): string {
  return shown === total ? `${total}` : `newest ${shown} of ${total}`;
}

function belowOf(run: RunRow | undefined): Span {
  if (!run) return { text: '' };
  const why = run.waiting ?? (run.error === null ? run.reason : stepAndMessage(run.error));
  return { text: [run.run_id, `by ${run.created_by}`, why].filter(Boolean).join(' · '), colour: 'gray' };
}

function runLine(run: RunRow, isChosen: boolean, columns: number): ReactElement {
  const status = shownStatus(run);
  const look = statusLooks[status];
  return cells(
    [
      {
        width: 14,
        spans: [
          isChosen ? { text: '❯ ', colour: 'cyan' } : '  ',
          { text: `${look.glyph} ${status === 'waiting_approval' ? 'approval' : status}`, colour: look.colour },
        ],
      },
      { spans: [{ text: run.job_id, isBold: isChosen }, run.progress ? ` ${Math.round(run.progress.percent)} %` : ''] },
      { width: 16, spans: [atTime(run.created_at)] },
      { width: 12, spans: [workWords(run, Date.now())] },
      ...(columns >= 100 ? [{ width: 10, spans: [run.trigger.type] }] : []),
    ],
    run.run_id,
  );
}
