// The key-value store: what jobs keep for later runs, by namespace.

import { Plus } from 'lucide-react';
import { type ReactNode, useMemo, useState } from 'react';
import { useLocation, useSearch } from 'wouter';
import type { AnswerOf } from '../../contract/operations.ts';
import { sizeWords } from '../../lib/units.ts';
import { Button } from '../design/controls/Button.tsx';
import { Confirm, Dialog } from '../design/controls/Dialog.tsx';
import { Field, Input, TextArea } from '../design/controls/Input.tsx';
import { Select } from '../design/controls/Select.tsx';
import { type Column, Table } from '../design/table/Table.tsx';
import { PageHeader } from '../design/text/PageHeader.tsx';
import { Time } from '../design/text/Time.tsx';
import { useActions } from '../session/actions.ts';
import { useAnswer, useRefresh } from '../session/answers.tsx';
import { useScopes } from '../session/scopes.ts';
import { Empty, ErrorNote, Shown } from '../widgets/Notes.tsx';
import { countOf } from '../words.ts';
import styles from './Admin.module.css';
import { ValueDialog } from './ValueDialog.tsx';

type Key = AnswerOf<'listKvKeys'>['keys'][number];

export function ValuesPage(): ReactNode {
  const may = useScopes();
  const refresh = useRefresh();
  const [location, navigate] = useLocation();
  const chosen = new URLSearchParams(useSearch()).get('namespace');
  const [isAdding, setAdding] = useState(false);
  const namespaces = useAnswer(['kv'], (client, signal) => client.call('listKvNamespaces', { signal }));
  const all = namespaces.data?.namespaces ?? [];
  const namespace = chosen ?? all[0]?.namespace ?? null;
  return (
    <>
      <PageHeader
        title="Key-value store"
        after={
          all.length > 0 && (
            <Select
              label="Namespace"
              size="small"
              choices={all.map((one) => ({
                value: one.namespace,
                label: one.namespace,
                note: countOf(one.keys, 'key'),
              }))}
              value={namespace}
              onChange={(next) => navigate(`${location}?namespace=${encodeURIComponent(next)}`, { replace: true })}
            />
          )
        }
      >
        {may('kv:write') && (
          <Button look="primary" icon={Plus} onClick={() => setAdding(true)}>
            Set a value
          </Button>
        )}
      </PageHeader>
      <Shown of={namespaces} what="namespaces">
        {() =>
          namespace === null ? (
            <Empty>
              No values yet. Jobs store them with <code>flwd_kv_set KEY VALUE</code>, people with{' '}
              <code>flwd kv set</code>.
            </Empty>
          ) : (
            <Keys key={namespace} namespace={namespace} mayWrite={may('kv:write') === true} />
          )
        }
      </Shown>
      {isAdding && (
        <ValueForm
          namespace={namespace ?? ''}
          close={() => setAdding(false)}
          changed={() => refresh({ queryKey: ['kv'] })}
        />
      )}
    </>
  );
}

function Keys({ namespace, mayWrite }: { readonly namespace: string; readonly mayWrite: boolean }): ReactNode {
  const refresh = useRefresh();
  const path = { namespace };
  const keys = useAnswer(['kv', namespace], (client, signal) => client.call('listKvKeys', { path, signal }));
  const { act, error } = useActions(() => refresh({ queryKey: ['kv'] }));
  const [deleted, setDeleted] = useState<Key | null>(null);
  const [opened, setOpened] = useState<Key | null>(null);
  const columns = useMemo(() => columnsOf(setOpened, mayWrite ? setDeleted : null), [mayWrite]);
  return (
    <Shown of={keys} what="keys">
      {({ keys: rows, next_cursor: next }) => (
        <>
          {error !== null && <ErrorNote text={error} />}
          <Table
            label={`Keys of ${namespace}`}
            rows={rows}
            columns={columns}
            keyOf={({ tenant, key }) => `${tenant} ${key}`}
            compact={(one) => (
              <div className={styles.compact}>
                <OpenKey of={one} open={setOpened} />
                {mayWrite && <DeleteKey of={one} ask={setDeleted} />}
                <span className={`${styles.quiet} ${styles.wholeLine}`}>
                  {sizeWords(one.size_bytes)}, changed <Time at={one.updated_at} />,{' '}
                  {one.expires_at === null ? (
                    'never expires'
                  ) : (
                    <>
                      expires <Time at={one.expires_at} />
                    </>
                  )}
                </span>
              </div>
            )}
          />
          {next !== null && (
            <p className={styles.foot}>
              There are more keys: <code>flwd kv list</code> prints them all.
            </p>
          )}
          {opened && <ValueDialog of={opened} close={() => setOpened(null)} />}
          {deleted && (
            <Confirm
              title={`Delete the key ${deleted.key}?`}
              text="Jobs that read this key will find no value."
              yes="Delete the key"
              no="Keep it"
              confirm={() =>
                void act((client) =>
                  client.request('deleteKvKey', {
                    path: { namespace, key: deleted.key },
                    query: { tenant: deleted.tenant },
                  }),
                )
              }
              close={() => setDeleted(null)}
            />
          )}
        </>
      )}
    </Shown>
  );
}

function columnsOf(open: (key: Key) => void, ask: ((key: Key) => void) | null): readonly Column<Key>[] {
  return [
    { id: 'key', head: 'Key', cell: (one) => <OpenKey of={one} open={open} /> },
    { id: 'tenant', head: 'Tenant', width: '110px', leavesBelowPx: 1_000, cell: ({ tenant }) => tenant },
    { id: 'size', head: 'Size', width: '90px', isNumber: true, cell: (one) => sizeWords(one.size_bytes) },
    { id: 'changed', head: 'Changed', width: '130px', cell: (one) => <Time at={one.updated_at} /> },
    {
      id: 'by',
      head: 'By',
      width: '22%',
      leavesBelowPx: 1_180,
      cell: (one) => <span title={one.updated_by}>{one.updated_by}</span>,
    },
    {
      id: 'expires',
      head: 'Expires',
      width: '120px',
      leavesBelowPx: 1_000,
      cell: (one) => (one.expires_at === null ? 'never' : <Time at={one.expires_at} />),
    },
    ...(ask
      ? [
          {
            id: 'actions',
            head: 'Actions',
            isHeadUnseen: true,
            width: '100px',
            cell: (one: Key) => <DeleteKey of={one} ask={ask} />,
          },
        ]
      : []),
  ];
}

function OpenKey({ of, open }: { readonly of: Key; readonly open: (key: Key) => void }): ReactNode {
  return (
    <button
      type="button"
      data-row
      className={styles.link}
      title={of.key}
      aria-label={`Value of ${of.key}`}
      aria-haspopup="dialog"
      onClick={() => open(of)}
    >
      {of.key}
    </button>
  );
}

function DeleteKey({ of, ask }: { readonly of: Key; readonly ask: (key: Key) => void }): ReactNode {
  return (
    <Button size="small" look="danger" aria-label={`Delete… ${of.key}`} onClick={() => ask(of)}>
      Delete…
    </Button>
  );
}

function ValueForm(o: {
  readonly namespace: string;
  readonly close: () => void;
  readonly changed: () => void;
}): ReactNode {
  const [namespace, setNamespace] = useState(o.namespace);
  const [key, setKey] = useState('');
  const [value, setValue] = useState('');
  const { act, isBusy, error } = useActions(o.changed);
  const save = () =>
    act(async (client) => {
      await client.call('putKvKey', { path: { namespace, key }, body: { value: toBase64(value) } });
      o.close();
    });
  const actions = (
    <>
      <Button onClick={o.close}>Cancel</Button>
      <Button look="primary" disabled={isBusy || namespace === '' || key === ''} onClick={() => void save()}>
        Set the value
      </Button>
    </>
  );
  return (
    <Dialog title="Set a value" close={o.close} actions={actions}>
      <div className={styles.form}>
        <Field label="Namespace" isRequired hint="The id of a job, or another name that is written like an id">
          {(attributes) => (
            <Input {...attributes} isMono value={namespace} onChange={(event) => setNamespace(event.target.value)} />
          )}
        </Field>
        <Field label="Key" isRequired hint="If the key exists, its value is replaced">
          {(attributes) => (
            <Input {...attributes} isMono value={key} onChange={(event) => setKey(event.target.value)} />
          )}
        </Field>
        <Field label="Value" hint="At most 8 KiB">
          {(attributes) => (
            <TextArea
              {...attributes}
              isMono
              rows={4}
              value={value}
              onChange={(event) => setValue(event.target.value)}
            />
          )}
        </Field>
        {error !== null && <ErrorNote text={error} />}
      </div>
    </Dialog>
  );
}

function toBase64(text: string): string {
  return btoa(String.fromCodePoint(...new TextEncoder().encode(text)));
}
