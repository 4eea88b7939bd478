// The result of a run: a table for flat objects, Markdown for text, a tree for anything else, and always the JSON.

import { type ReactNode, useState } from 'react';
import { showValue } from '../../domain/argument-fields.ts';
import { CopyButton } from '../design/controls/CopyButton.tsx';
import { Segmented } from '../design/controls/Segmented.tsx';
import styles from '../log/Parts.module.css';
import { Markdown } from '../widgets/Markdown.tsx';
import { Code, Empty, Scrolls, Table } from '../widgets/Notes.tsx';
import { countWords, type Run } from '../words.ts';
import { JsonTree } from './JsonTree.tsx';

type Row = Readonly<Record<string, unknown>>;

const mostRows = 1_000;

export function Result({ run }: { readonly run: Run }): ReactNode {
  const [form, setForm] = useState<'readable' | 'json'>('readable');
  if (!run.result) {
    return <Empty>{run.finished_at === null ? 'No result yet.' : 'This run has no result.'}</Empty>;
  }
  const { value } = run.result;
  const json = JSON.stringify(value, null, 2);
  return (
    <>
      <div className={styles.toolbar}>
        <Segmented
          label="View of the result"
          choices={[
            { value: 'readable', label: 'Readable' },
            { value: 'json', label: 'JSON' },
          ]}
          value={form}
          onChange={setForm}
        />
        <CopyButton label="Copy the result as JSON" text={json} />
      </div>
      {form === 'json' ? <Code label="Result" text={json} /> : <Readable value={value} />}
    </>
  );
}

/** Flat values become a table, texts Markdown, and anything else a tree. */
function Readable({ value }: { readonly value: unknown }): ReactNode {
  const rows = rowsOf(value);
  if (rows) return <RowsTable rows={rows} />;
  if (typeof value === 'string') return <Markdown text={value} />;
  return (
    <Scrolls label="Result">
      <JsonTree value={value} />
    </Scrolls>
  );
}

/** A list of flat objects becomes a table, and a flat object a table of names and values. */
function rowsOf(value: unknown): readonly Row[] | null {
  if (Array.isArray(value)) {
    const rows = value.flatMap((one) => (isRow(one) && isFlat(one) ? [one] : []));
    return rows.length === value.length && rows.length > 0 ? rows : null;
  }
  return isRow(value) && isFlat(value) && Object.keys(value).length > 0
    ? Object.entries(value).map(([name, member]) => ({ name, value: member }))
    : null;
}

function isFlat(row: Row): boolean {
  return Object.values(row).every((member) => typeof member !== 'object' || member === null);
}

function isRow(value: unknown): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function RowsTable({ rows }: { readonly rows: readonly Row[] }): ReactNode {
  const shown = rows.slice(0, mostRows);
  const columns = [...new Set(shown.flatMap((row) => Object.keys(row)))];
  return (
    <Table
      label="Result"
      head={columns}
      rows={shown.map((row) => columns.map((column) => (row[column] === undefined ? '' : showValue(row[column]))))}
    >
      {rows.length > mostRows && (
        <p className={styles.more}>
          Showing the first {countWords(mostRows)} of {countWords(rows.length)} rows. The JSON has them all.
        </p>
      )}
    </Table>
  );
}
