// The screen of all jobs. Enter opens a job's form.

import { Box } from 'ink';
import { createElement as h, type ReactElement, useMemo, useState } from 'react';
import type { AnswerOf } from '../contract/operations.ts';
import type { StepStatus } from '../domain/run.ts';
import { type Cell, cells, line, paragraph, type Span, typed } from './line.ts';
import type { Press } from './presses.ts';
import { type Body, type ScreenProps, useLoaded, usePresses, useScreenContext } from './screen.ts';
import { editText, emptyText, type TextEdit } from './text-edit.ts';
import { moved, windowAround } from './windowed.ts';
import { shownStatus, statusLooks } from './words.ts';

const everyMs = 5_000;
/** How many of the newest runs are read to find the last status of each job. This takes one cheap request. */
const newestRuns = 200;

type JobRow = {
  readonly id: string;
  readonly title: string;
  readonly tags: readonly string[];
  readonly isEnabled: boolean;
  /** The reason why the job is invalid. */
  readonly error: string | null;
};

export function JobsScreen({ isActive }: ScreenProps): Body {
  const { client, rows, columns, open } = useScreenContext();
  const [search, setSearch] = useState<TextEdit>(emptyText);
  const [isSearching, setSearching] = useState(false);
  const [chosenId, setChosenId] = useState<string | null>(null);
  const { value, error } = useLoaded({ isActive, key: '', everyMs }, (signal) => client.call('listJobs', { signal }));

  // Errors of this request are ignored, so that a user who may not read runs still sees the jobs.
  const { value: newest } = useLoaded({ isActive, key: '', everyMs }, (signal) =>
    client.call('listRuns', { query: { limit: newestRuns }, signal }),
  );
  const lastOf = useMemo(
    () => new Map(newest?.runs.toReversed().map((run) => [run.job_id, shownStatus(run)])),
    [newest],
  );

  const found = useMemo(() => (value ? jobRows(value, search.text) : []), [value, search.text]);
  const chosen = Math.max(
    0,
    found.findIndex(({ id }) => id === chosenId),
  );
  const row = found[chosen];
  const listRows = rows - 4;

  const keys = isSearching
    ? 'type to search   Enter: done   Esc: clear'
    : '↑↓ move  Enter: start  /: search  2: runs  ?: help  q: quit';
  usePresses(isActive, keys, (press) => {
    if (isSearching && onSearch(press)) return true;
    const to = moved(chosen, press.key, found.length, listRows);
    if (to !== null) {
      setChosenId(found[to]?.id ?? null);
      return true;
    }
    if (press.key === '/') {
      setSearching(true);
      return true;
    }
    if (press.key === 'esc' && search.text !== '') {
      setSearch(emptyText);
      return true;
    }
    if (press.key === 'enter' && row && row.error === null) open({ name: 'form', jobId: row.id });
    return press.key === 'enter';
  });

  function onSearch(press: Press): boolean {
    if (press.key === 'enter' || press.key === 'esc') {
      setSearching(false);
      if (press.key === 'esc') setSearch(emptyText);
      return true;
    }
    const edited = editText(search, press);
    if (edited) setSearch(edited);
    return edited !== null;
  }

  if (!isActive) return null;
  const { start, end } = windowAround(found.length, chosen, listRows);
  return h(
    Box,
    { flexDirection: 'column', height: rows },
    cells([
      {
        spans: [
          { text: 'Jobs', isBold: true },
          ...(isSearching ? [' /', ...typed(search.text, search.cursor, 40)] : search.text ? [` /${search.text}`] : []),
        ],
      },
      { spans: [value ? countOf(value.jobs.length + value.invalid.length, found.length) : ''], width: 16 },
    ]),
    ...found.slice(start, end).map((job, index) => jobLine(job, lastOf.get(job.id), start + index === chosen, columns)),
    value === null && error === null && line(['loading…'], 'loading'),
    value !== null && found.length === 0 && line([search.text ? 'No jobs match.' : 'No jobs yet.'], 'none'),
    h(Box, { key: 'space', flexGrow: 1 }),
    paragraph(belowOf(row, error), 2, 'below'),
  );
}

/** Returns the jobs that contain the text in their id, title, description or tags, sorted by id. */
function jobRows({ jobs, invalid }: AnswerOf<'listJobs'>, search: string): JobRow[] {
  const wanted = search.toLowerCase();
  const has = (...texts: readonly (string | null)[]): boolean =>
    texts.some((text) => text?.toLowerCase().includes(wanted));
  const valid = jobs
    .filter((job) => has(job.id, job.title, job.description, ...job.tags, ...job.aliases))
    .map((job): JobRow => {
      const { id, title, description, tags, enabled } = job;
      return { id, title: title ?? description ?? '', tags, isEnabled: enabled, error: null };
    });
  const broken = invalid
    .filter(({ id }) => has(id))
    .map(({ id, errors }): JobRow => {
      const [first] = errors;
      const error = first ? `${first.file}:${first.line}: ${first.message}` : 'is invalid';
      return { id, title: '', tags: [], isEnabled: false, error };
    });
  return [...valid, ...broken].toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

function countOf(total: number, found: number): string {
  return total === found ? `${total}` : `${found} of ${total}`;
}

function belowOf(row: JobRow | undefined, error: string | null): Span {
  if (error !== null) return { text: error, colour: 'red' };
  if (row?.error) return { text: row.error, colour: 'red' };
  return { text: row?.title ?? '', colour: 'gray' };
}

/** @param last the status of its last run */
function jobLine(job: JobRow, last: StepStatus | undefined, isChosen: boolean, columns: number): ReactElement {
  const isWide = columns >= 90;
  const name: Cell['spans'] = [
    isChosen ? { text: '❯ ', colour: 'cyan' } : '  ',
    { text: job.id, isBold: isChosen, ...(job.error !== null && { colour: 'red' }) },
  ];
  const about: Cell['spans'] =
    job.error === null
      ? [job.title, ...(job.isEnabled ? [] : [{ text: ' disabled', colour: 'yellow' } as const])]
      : [{ text: '✗ invalid', colour: 'red' }];
  return cells(
    [
      { spans: name, width: Math.floor(columns * 0.45) },
      { spans: [last ? { text: statusLooks[last].glyph, colour: statusLooks[last].colour } : ''], width: 2 },
      { spans: about },
      ...(isWide ? [{ spans: [{ text: job.tags.join(' '), colour: 'gray' } as const], width: 20 }] : []),
    ],
    job.id,
  );
}
