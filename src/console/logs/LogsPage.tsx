// Searches the logs of all runs. The address contains the search, so a link shares it, and going back restores it.

import { useInfiniteQuery } from '@tanstack/react-query';
import { type FormEvent, type ReactNode, useEffect, useState } from 'react';
import { Link, useLocation, useSearch } from 'wouter';
import type { AnswerOf } from '../../contract/operations.ts';
import { type LogLevel, logLevels } from '../../domain/log-line.ts';
import { sizeWords } from '../../lib/units.ts';
import { useTitle } from '../browser.ts';
import { Button } from '../design/controls/Button.tsx';
import { SearchField } from '../design/controls/Input.tsx';
import { Select } from '../design/controls/Select.tsx';
import { rowLink } from '../design/table/row-link.ts';
import { JobName } from '../design/text/JobName.tsx';
import { PageHeader } from '../design/text/PageHeader.tsx';
import { Time } from '../design/text/Time.tsx';
import { limited } from '../session/answers.tsx';
import { useClient } from '../session/session.tsx';
import { Empty, Shown } from '../widgets/Notes.tsx';
import { countOf, harmless, runPath } from '../words.ts';
import styles from './LogsPage.module.css';

type Found = AnswerOf<'searchLogs'>;
type Hit = Found['hits'][number];

const anyLevel = 'any';
const levels = [
  { value: anyLevel, label: 'Any level' },
  ...logLevels.map((level) => ({ value: level, label: level === 'fatal' ? level : `${level} or worse` })),
];
/** A search continues by itself until it has found this many lines. */
const enough = 100;

export function LogsPage(): ReactNode {
  useTitle('Logs');
  const asked = new URLSearchParams(useSearch());
  const text = asked.get('q') ?? '';
  const level = logLevels.find((one) => one === asked.get('level'));
  return (
    <>
      <PageHeader title="Logs" />
      <SearchForm key={`${text} ${level}`} text={text} level={level} />
      {text === '' && level === undefined ? (
        <Empty>Search the logs of all runs for a text. The search ignores the case of the letters A–Z.</Empty>
      ) : (
        <Results text={text} level={level} />
      )}
    </>
  );
}

type Asked = { readonly text: string; readonly level: LogLevel | undefined };

function SearchForm(of: Asked): ReactNode {
  const [, navigate] = useLocation();
  const [text, setText] = useState(of.text);
  const search = (level: string): void => {
    const query = new URLSearchParams({ ...(text !== '' && { q: text }), ...(level !== anyLevel && { level }) });
    navigate(query.size > 0 ? `/logs?${query.toString()}` : '/logs');
  };
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    search(of.level ?? anyLevel);
  };
  return (
    <form className={styles.form} onSubmit={submit}>
      <SearchField label="Text in all logs" value={text} onChange={setText} maxLength={1024} />
      <Select label="Level" choices={levels} value={of.level ?? anyLevel} onChange={search} />
      <Button type="submit" look="primary">
        Search
      </Button>
    </form>
  );
}

function Results({ text, level }: Asked): ReactNode {
  const client = useClient();
  const answer = useInfiniteQuery({
    queryKey: ['logs', text, level],
    queryFn: ({ pageParam: cursor, signal }) =>
      client.call('searchLogs', {
        query: {
          ...(text !== '' && { q: text }),
          ...(level !== undefined && { level }),
          ...(cursor !== '' && { cursor }),
        },
        signal: limited(signal),
      }),
    initialPageParam: '',
    getNextPageParam: ({ next_cursor: next }: Found) => next,
    // The lines must not change while somebody reads them.
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
  });
  const { data, hasNextPage, isFetching, fetchNextPage } = answer;
  const count = data?.pages.reduce((sum, { hits }) => sum + hits.length, 0) ?? 0;
  const goesOn = data !== undefined && hasNextPage && count < enough;
  useEffect(() => {
    if (goesOn && !isFetching) void fetchNextPage();
  }, [goesOn, isFetching, fetchNextPage]);
  return (
    <Shown of={answer} what="lines">
      {({ pages }) => (
        <>
          <ol aria-label="Lines" className={styles.lines}>
            {pages
              .flatMap((page) => page.hits)
              .map((hit) => (
                <Line key={`${hit.run_id} ${hit.seq}`} hit={hit} text={text} />
              ))}
          </ol>
          <p className={styles.end} role="status">
            <End pages={pages} count={count} isGoingOn={hasNextPage} />
            {hasNextPage && count >= enough && (
              <Button size="small" disabled={isFetching} onClick={() => void fetchNextPage()}>
                Continue the search
              </Button>
            )}
          </p>
        </>
      )}
    </Shown>
  );
}

function End(o: { readonly pages: readonly Found[]; readonly count: number; readonly isGoingOn: boolean }): ReactNode {
  const bytes = o.pages.reduce((sum, { searched }) => sum + searched.bytes, 0);
  const unreadable = o.pages.reduce((sum, { searched }) => sum + searched.unreadable, 0);
  const segments = o.pages.reduce((sum, { searched }) => sum + searched.segments, 0);
  const from = o.pages.at(-1)?.searched.from;
  if (o.count === 0 && !o.isGoingOn && unreadable === 0)
    return segments === 0 ? 'There are no logs to search.' : `Nothing matches in ${sizeWords(bytes)} of logs.`;
  return (
    <span>
      {countOf(o.count, 'line')} in {sizeWords(bytes)} of logs
      {o.isGoingOn && from != null ? (
        <>
          , from runs that ended since <Time at={from} hasDay />
        </>
      ) : (
        '; the search is complete'
      )}
      {unreadable > 0 && `; ${countOf(unreadable, 'segment')} could not be read`}
    </span>
  );
}

function Line({ hit, text }: { readonly hit: Hit; readonly text: string }): ReactNode {
  return (
    <li className={styles.line} data-level={hit.level} {...rowLink}>
      <Link href={`${runPath(hit.run_id)}/log?line=${hit.seq}`} data-row className={styles.place}>
        <JobName id={hit.job_id} />
        <Time at={hit.timestamp} />
      </Link>
      <code className={styles.message}>
        <Marked message={harmless(hit.message)} text={text} />
      </code>
    </li>
  );
}

/** The first occurrence of the text. */
function Marked({ message, text }: { readonly message: string; readonly text: string }): ReactNode {
  const at = text === '' ? -1 : message.toLowerCase().indexOf(text.toLowerCase());
  if (at < 0) return message;
  const end = at + text.length;
  return (
    <>
      {message.slice(0, at)}
      <mark>{message.slice(at, end)}</mark>
      {message.slice(end)}
    </>
  );
}
