// The sources of jobs. They are configured in flwd.yaml; this page shows them and can read them again.

import { RefreshCw } from 'lucide-react';
import { type ReactNode, useMemo, useState } from 'react';
import { Link } from 'wouter';
import { useWords } from '../../client/source-use.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import { Button } from '../design/controls/Button.tsx';
import { type Column, Table } from '../design/table/Table.tsx';
import { PageHeader } from '../design/text/PageHeader.tsx';
import { StatusText } from '../design/text/Status.tsx';
import { useActions } from '../session/actions.ts';
import { type Answer, useAnswer, useRefresh } from '../session/answers.tsx';
import { useScopes } from '../session/scopes.ts';
import { ErrorNote, Shown } from '../widgets/Notes.tsx';
import { countOf, harmless } from '../words.ts';
import styles from './Admin.module.css';

type Source = AnswerOf<'listSources'>['sources'][number];

/** Reads a source again. */
type Reading = { readonly isBusy: boolean; readonly readAgain: (name: string) => void };

const everyMs = 30_000;

export function useSources(): Answer<AnswerOf<'listSources'>> {
  return useAnswer(['sources'], (client, signal) => client.call('listSources', { signal }), {
    refetchInterval: everyMs,
  });
}

export function SourcesPage(): ReactNode {
  const may = useScopes();
  const refresh = useRefresh();
  const { act, isBusy, error } = useActions(() => {
    refresh({ queryKey: ['sources'] });
    refresh({ queryKey: ['jobs'] });
  });
  const [read, setRead] = useState<Source | null>(null);
  const readAgain = (name: string): void => {
    setRead(null);
    void act(async (client) => setRead(await client.call('syncSource', { path: { name } })));
  };
  const sources = useSources();
  const maySync = may('sources:write') === true;
  const hasUntrusted = sources.data?.sources.some(({ may_use: use }) => use) ?? false;
  const columns = useMemo(
    () => columnsOf({ maySync, hasUntrusted, isBusy, readAgain }),
    [maySync, hasUntrusted, isBusy],
  );
  return (
    <>
      <PageHeader title="Sources" count={sources.data?.sources.length} />
      {error !== null && <ErrorNote text={error} />}
      <p role="status" className={read ? styles.bar : 'unseen'}>
        {read && readWords(read)}
      </p>
      <Shown of={sources} what="sources">
        {({ sources: rows }) => (
          <Table
            label="Sources"
            rows={rows}
            columns={columns}
            keyOf={({ name }) => name}
            compact={(source) => (
              <div className={styles.compact}>
                <span className={styles.inLine}>
                  <span className={styles.cut}>{source.name}</span>
                  <State source={source} />
                </span>
                {maySync && <ReadAgain name={source.name} isBusy={isBusy} readAgain={readAgain} />}
                <span className={`${styles.quiet} ${styles.wholeLine}`}>
                  {countOf(source.jobs, 'job')}, {source.trusted ? 'trusted' : 'not trusted'}
                  {source.may_use && `, may use ${useWords(source.may_use)}`}
                  {source.path !== undefined && ', '}
                  <code>{source.path}</code>
                </span>
              </div>
            )}
          />
        )}
      </Shown>
      <p className={styles.foot}>
        <span className={styles.quiet}>
          Sources are set in flwd.yaml, under <code>sources</code>. To apply a change, restart the server.
        </span>
      </p>
    </>
  );
}

function columnsOf(
  o: { readonly maySync: boolean; readonly hasUntrusted: boolean } & Reading,
): readonly Column<Source>[] {
  return [
    { id: 'name', head: 'Source', width: '14%', cell: ({ name }) => name },
    { id: 'kind', head: 'Kind', width: '90px', cell: ({ type }) => (type === 'fs' ? 'folder' : type) },
    {
      id: 'where',
      head: 'Where',
      leavesBelowPx: 1_000,
      cell: ({ path = '' }) => (
        <span className={styles.mono} title={path}>
          {path}
        </span>
      ),
    },
    { id: 'jobs', head: 'Jobs', width: '70px', isNumber: true, cell: ({ jobs }) => jobs },
    { id: 'state', head: 'State', width: '200px', cell: (source) => <State source={source} /> },
    {
      id: 'trust',
      head: 'Trusted',
      width: o.hasUntrusted ? '24%' : '80px',
      leavesBelowPx: 1_180,
      cell: ({ may_use: use }) => (use ? `no; may use ${useWords(use)}` : 'yes'),
    },
    ...(o.maySync
      ? [
          {
            id: 'actions',
            head: 'Actions',
            isHeadUnseen: true,
            width: '140px',
            cell: ({ name }: Source) => <ReadAgain name={name} isBusy={o.isBusy} readAgain={o.readAgain} />,
          },
        ]
      : []),
  ];
}

function ReadAgain({ name, isBusy, readAgain }: { readonly name: string } & Reading): ReactNode {
  return (
    <Button
      size="small"
      look="quiet"
      icon={RefreshCw}
      disabled={isBusy}
      aria-label={`Read again: ${name}`}
      onClick={() => readAgain(name)}
    >
      Read again
    </Button>
  );
}

function readWords({ name, jobs, invalid, is_missing: isMissing }: Source): string {
  if (isMissing) return `${harmless(name)} was read again: its folder is missing or cannot be read.`;
  const counts = [countOf(jobs, 'job'), ...(invalid > 0 ? [countOf(invalid, 'invalid job')] : [])];
  return `${harmless(name)} was read again: ${counts.join(', ')}.`;
}

/**
 * Shows the state of a source. Like the server's health check, it warns about a missing folder, but not about invalid
 * jobs.
 */
function State({ source: { invalid, watch, is_missing } }: { readonly source: Source }): ReactNode {
  if (is_missing) return <StatusText of="late" word="Missing" />;
  return (
    <span className={styles.inLine}>
      <StatusText of="success" word={watch ? 'Watched' : 'Not watched'} />
      {invalid > 0 && (
        <Link href="/jobs?show=invalid" className={styles.invalid}>
          {countOf(invalid, 'invalid job')}
        </Link>
      )}
    </span>
  );
}
