// The audit log: who did what, with filters for person, action, object and time, and whether the log is unchanged.

import { ListFilter, ShieldCheck } from 'lucide-react';
import { type ReactNode, useMemo, useState } from 'react';
import { Link, useLocation, useSearch } from 'wouter';
import type { AnswerOf, QueryOf } from '../../contract/operations.ts';
import { auditActions, auditResults } from '../../domain/audit.ts';
import { Button } from '../design/controls/Button.tsx';
import { Field, Input, SearchField } from '../design/controls/Input.tsx';
import { Select } from '../design/controls/Select.tsx';
import { type Column, Table } from '../design/table/Table.tsx';
import { PageHeader } from '../design/text/PageHeader.tsx';
import { StatusIcon } from '../design/text/Status.tsx';
import { Time } from '../design/text/Time.tsx';
import { narrowPx, useWidth } from '../design/width.ts';
import { useActions } from '../session/actions.ts';
import { useAnswer } from '../session/answers.tsx';
import { Empty, ErrorNote, Shown } from '../widgets/Notes.tsx';
import { countWords, harmless, runPath } from '../words.ts';
import styles from './Admin.module.css';

type Entry = AnswerOf<'listAudit'>['entries'][number];
type Query = QueryOf<'listAudit'>;

const pageEntries = 100;

export function AuditPage(): ReactNode {
  const { query, value, set } = useFilter();
  /** The cursors of all pages from the second to the one that is shown. */
  const [cursors, setCursors] = useState<readonly string[]>([]);
  const cursor = cursors.at(-1);
  const page = { ...query, limit: pageEntries, ...(cursor !== undefined && { cursor }) };
  const answer = useAnswer(['audit', JSON.stringify(page)], (client, signal) =>
    client.call('listAudit', { query: page, signal }),
  );
  const change = (name: string, text: string): void => {
    setCursors([]);
    set(name, text);
  };
  return (
    <>
      <PageHeader title="Audit" count={answer.data && countWords(answer.data.total)}>
        <Verify />
      </PageHeader>
      <Filters value={value} change={change} />
      <Shown of={answer} what="the audit log">
        {({ entries, next_cursor: next }) =>
          entries.length === 0 ? (
            <Empty>No entry matches.</Empty>
          ) : (
            <>
              <Table
                label="Audit log"
                rows={entries}
                columns={columns}
                keyOf={({ id }) => String(id)}
                compact={(entry) => <Compact entry={entry} />}
              />
              <div className={styles.foot}>
                {cursors.length > 0 && (
                  <Button onClick={() => setCursors((now) => now.slice(0, -1))}>Newer entries</Button>
                )}
                {next !== null && <Button onClick={() => setCursors((now) => [...now, next])}>Older entries</Button>}
              </div>
            </>
          )
        }
      </Shown>
    </>
  );
}

/** Reads the filter from the URL and writes it there. Its days are in the browser's time zone. */
function useFilter() {
  const [location, navigate] = useLocation();
  const search = useSearch();
  const value = (name: string): string => new URLSearchParams(search).get(name) ?? '';
  const query = useMemo(() => toQuery(new URLSearchParams(search)), [search]);
  return {
    query,
    value,
    set: (name: string, text: string): void => {
      const next = new URLSearchParams(search);
      if (text === '') next.delete(name);
      else next.set(name, text);
      const written = next.toString();
      navigate(`${location}${written === '' ? '' : `?${written}`}`, { replace: true });
    },
  };
}

function toQuery(given: URLSearchParams): Query {
  const text = (name: string): string | undefined => given.get(name) || undefined;
  const [action] = auditActions.filter((one) => one === given.get('action'));
  const [result] = auditResults.filter((one) => one === given.get('result'));
  const [q, actor, object] = [text('q'), text('actor'), text('object')];
  // The day of `until` is included.
  const [since, until] = [startOf(text('since'), 0), startOf(text('until'), 1)];
  return {
    ...(q !== undefined && { q }),
    ...(actor !== undefined && { actor }),
    ...(object !== undefined && { object }),
    ...(action && { action }),
    ...(result && { result }),
    ...(since !== undefined && { since }),
    ...(until !== undefined && { until }),
  };
}

function startOf(date: string | undefined, daysLater: number): string | undefined {
  const day = new Date(`${date ?? ''}T00:00:00`);
  if (Number.isNaN(day.getTime())) return undefined;
  day.setDate(day.getDate() + daysLater);
  return day.toISOString();
}

function Filters(o: {
  readonly value: (name: string) => string;
  readonly change: (name: string, text: string) => void;
}): ReactNode {
  const { value, change } = o;
  const text = (name: string, label: string, type = 'text'): ReactNode => (
    <Field label={label}>
      {(attributes) => (
        <Input {...attributes} type={type} value={value(name)} onChange={(event) => change(name, event.target.value)} />
      )}
    </Field>
  );
  const choice = (name: string, label: string, choices: readonly string[]): ReactNode => (
    <Field label={label}>
      {(attributes) => (
        <Select
          {...attributes}
          label={label}
          size="form"
          choices={[{ value: '', label: 'any' }, ...choices.map((one) => ({ value: one, label: one }))]}
          value={value(name)}
          onChange={(one) => change(name, one)}
        />
      )}
    </Field>
  );
  const isNarrow = useWidth() < narrowPx;
  const [isOpen, setOpen] = useState(false);
  const set = filters.filter((name) => value(name) !== '').length;
  return (
    <div className={styles.bar}>
      <div className={styles.search}>
        <Field label="Search">
          {(attributes) => (
            <SearchField
              {...attributes}
              label="Search the audit log"
              value={value('q')}
              onChange={(next) => change('q', next)}
            />
          )}
        </Field>
      </div>
      {isNarrow && (
        <Button size="form" icon={ListFilter} aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          {set === 0 ? 'Filter' : `Filter, ${set} set`}
        </Button>
      )}
      {(isOpen || !isNarrow) && (
        <>
          {text('actor', 'Who')}
          {choice('action', 'What', auditActions)}
          {text('object', 'Object')}
          {choice('result', 'Result', auditResults)}
          {text('since', 'From', 'date')}
          {text('until', 'To', 'date')}
        </>
      )}
    </div>
  );
}

const filters = ['actor', 'action', 'object', 'result', 'since', 'until'];

/** Names a schedule by the job that it started, because its own name is only an id. */
function whoOf({ actor, detail }: Entry): string {
  const jobId = detail?.job_id;
  return harmless(actor.kind === 'schedule' && typeof jobId === 'string' ? `schedule of ${jobId}` : actor.name);
}

/**
 * Returns, for example, "run_…8YPJQ7GC" or "secret deploy-key". Generated ids from the same day begin with the same
 * characters, so only the end of such an id is shown.
 */
function objectWords({ object }: Entry): string {
  if (object === null) return '';
  const { kind, id } = object;
  if (id === null) return kind;
  return harmless(id.startsWith(`${kind}_`) ? `${kind}_…${id.slice(-8)}` : `${kind} ${id}`);
}

const columns: readonly Column<Entry>[] = [
  { id: 'at', head: 'Time', width: '130px', cell: ({ at }) => <Time at={at} /> },
  {
    id: 'who',
    head: 'Who',
    width: '24%',
    cell: (entry) => <span title={`${whoOf(entry)}\n${entry.actor.name} (${entry.actor.kind})`}>{whoOf(entry)}</span>,
  },
  { id: 'what', head: 'What', width: '122px', cell: ({ action }) => action },
  {
    id: 'object',
    head: 'Object',
    cell: (entry) => <ObjectOf entry={entry} />,
  },
  { id: 'result', head: 'Result', width: '134px', cell: (entry) => <Result entry={entry} /> },
  {
    id: 'from',
    head: 'Address',
    width: '124px',
    leavesBelowPx: 1_180,
    cell: ({ from }) => <span className={styles.mono}>{from ?? ''}</span>,
  },
];

/** Shows the object of an entry. A run is a link with its job beside it. */
function ObjectOf({ entry }: { readonly entry: Entry }): ReactNode {
  const { object, detail } = entry;
  const words = objectWords(entry);
  const title = `${object?.id ?? ''}\n${detail === null ? '' : JSON.stringify(detail, null, 2)}`;
  if (object?.kind !== 'run' || object.id === null)
    return (
      <span className={styles.mono} title={title}>
        {words}
      </span>
    );
  const jobId = detail?.job_id;
  return (
    <span title={title}>
      <Link href={runPath(object.id)} className={styles.link} title={title}>
        {words}
      </Link>{' '}
      {typeof jobId === 'string' && harmless(jobId)}
    </span>
  );
}

function Result({ entry: { result, reason } }: { readonly entry: Entry }): ReactNode {
  if (result === 'done') return <span className={styles.quiet}>done</span>;
  const words = reason === null ? result : `${result}: ${reason}`;
  return (
    <span className={styles.bad} title={words}>
      <StatusIcon of="failed" size={12} /> <span className={styles.cut}>{reason ?? result}</span>
    </span>
  );
}

function Compact({ entry }: { readonly entry: Entry }): ReactNode {
  return (
    <div className={`${styles.compact} ${styles.ends}`}>
      <span>
        {entry.action} <span className={styles.quiet}>by {whoOf(entry)}</span>
      </span>
      <Time at={entry.at} />
      <ObjectOf entry={entry} />
      <Result entry={entry} />
    </div>
  );
}

function Verify(): ReactNode {
  const [verdict, setVerdict] = useState<AnswerOf<'verifyAudit'> | null>(null);
  const { act, isBusy, error } = useActions(() => undefined);
  const verify = () => act(async (client) => setVerdict(await client.call('verifyAudit')));
  return (
    <>
      <span role="status">
        {verdict &&
          (verdict.broken ? (
            <span className={styles.bad}>
              <StatusIcon of="failed" /> Damaged at entry {verdict.broken.id}: {verdict.broken.why}
            </span>
          ) : (
            <span className={styles.good} title={verdict.last ? `The last hash: ${verdict.last.hash}` : ''}>
              <StatusIcon of="success" /> {countWords(verdict.rows)} entries, unchanged
            </span>
          ))}
      </span>
      {error !== null && <ErrorNote text={error} />}
      <Button icon={ShieldCheck} disabled={isBusy} onClick={() => void verify()}>
        Verify
      </Button>
    </>
  );
}
