// The result of a run: objects as a table, text as Markdown, anything else as JSON.

import { type ReactNode, useState } from 'react';
import { showValue } from '../../domain/argument-fields.ts';
import { CopyButton } from '../widgets/CopyButton.tsx';
import { Markdown } from '../widgets/Markdown.tsx';
import { Code, Empty, Table } from '../widgets/Notes.tsx';
import type { Run } from '../words.ts';

type Row = Readonly<Record<string, unknown>>;

const mostRows = 1_000;

export function Result({ run }: { readonly run: Run }): ReactNode {
  const [wantsJson, setWantsJson] = useState(false);
  if (!run.result) {
    return <Empty>{run.finished_at === null ? 'No result yet.' : 'This run has no result.'}</Empty>;
  }
  const { value } = run.result;
  const rows = rowsOf(value);
  const markdown = typeof value === 'string' ? value : null;
  const isReadable = rows !== null || markdown !== null;
  return (
    <>
      <div className="actions">
        {isReadable && (
          <button type="button" aria-pressed={wantsJson} onClick={() => setWantsJson(!wantsJson)}>
            JSON
          </button>
        )}
        <CopyButton label="Copy" text={JSON.stringify(value, null, 2)} />
      </div>
      {wantsJson || !isReadable ? (
        <Code label="Result" text={JSON.stringify(value, null, 2)} />
      ) : rows ? (
        <RowsTable rows={rows} />
      ) : (
        <Markdown text={markdown ?? ''} />
      )}
    </>
  );
}

/** A list of objects becomes a table, and an object a table of names and values. */
function rowsOf(value: unknown): Row[] | null {
  if (Array.isArray(value)) {
    const rows = value.flatMap((one) => (isRow(one) ? [one] : []));
    return rows.length === value.length && rows.length > 0 ? rows : null;
  }
  return isRow(value) && Object.keys(value).length > 0
    ? Object.entries(value).map(([name, member]) => ({ name, value: member }))
    : null;
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
        <p className="quiet">
          Showing the first {mostRows} of {rows.length} rows. The JSON has them all.
        </p>
      )}
    </Table>
  );
}
