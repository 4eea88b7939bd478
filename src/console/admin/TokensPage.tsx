// API tokens: who may call this instance. A new token is shown once.

import { Plus } from 'lucide-react';
import { type ReactNode, useMemo, useState } from 'react';
import type { AnswerOf } from '../../contract/operations.ts';
import { type Scope, scopes } from '../../domain/principal.ts';
import { Button } from '../design/controls/Button.tsx';
import { Checkbox } from '../design/controls/Checkbox.tsx';
import { Confirm, Dialog } from '../design/controls/Dialog.tsx';
import { Field, Input } from '../design/controls/Input.tsx';
import { Select } from '../design/controls/Select.tsx';
import { type Column, Table } from '../design/table/Table.tsx';
import { PageHeader } from '../design/text/PageHeader.tsx';
import { Time } from '../design/text/Time.tsx';
import { useActions } from '../session/actions.ts';
import { useAnswer, useRefresh } from '../session/answers.tsx';
import { Empty, ErrorNote, Shown } from '../widgets/Notes.tsx';
import styles from './Admin.module.css';
import { ShownOnce } from './ShownOnce.tsx';

type Token = AnswerOf<'listTokens'>['tokens'][number];

export function TokensPage(): ReactNode {
  const refresh = useRefresh();
  const tokens = useAnswer(['tokens'], (client, signal) => client.call('listTokens', { signal }));
  const { act, isBusy, error } = useActions(() => refresh({ queryKey: ['tokens'] }));
  const [isMaking, setMaking] = useState(false);
  const [revoked, setRevoked] = useState<Token | null>(null);
  const columns = useMemo(() => columnsOf(setRevoked), []);
  return (
    <>
      <PageHeader title="Tokens" count={tokens.data?.total}>
        <Button look="primary" icon={Plus} disabled={isBusy} onClick={() => setMaking(true)}>
          New token
        </Button>
      </PageHeader>
      {error !== null && <ErrorNote text={error} />}
      <Shown of={tokens} what="tokens">
        {({ tokens: rows }) =>
          rows.length === 0 ? (
            <Empty>
              No tokens yet. Create one here, or for example with{' '}
              <code>flwd tokens create --name dashboard --scopes jobs:read,runs:read</code>.
            </Empty>
          ) : (
            <Table
              label="Tokens"
              rows={rows}
              columns={columns}
              keyOf={({ id }) => id}
              compact={(token) => (
                <div className={styles.compact}>
                  <span>{token.name}</span>
                  <Revoke token={token} ask={setRevoked} />
                  <span className={styles.quiet}>{mayOf(token).join(', ')}</span>
                </div>
              )}
            />
          )
        }
      </Shown>
      {isMaking && <TokenForm close={() => setMaking(false)} made={() => refresh({ queryKey: ['tokens'] })} />}
      {revoked && (
        <Confirm
          title={`Revoke the token ${revoked.name}?`}
          text="The server refuses this token from now on. This cannot be undone."
          yes="Revoke the token"
          no="Keep it"
          confirm={() => void act((client) => client.request('revokeToken', { path: { token_id: revoked.id } }))}
          close={() => setRevoked(null)}
        />
      )}
    </>
  );
}

function columnsOf(ask: (token: Token) => void): readonly Column<Token>[] {
  return [
    { id: 'name', head: 'Name', width: '20%', cell: ({ name }) => <span title={name}>{name}</span> },
    {
      id: 'scopes',
      head: 'Scopes',
      cell: (token) => <span title={mayOf(token).join('\n')}>{mayOf(token).join(', ')}</span>,
    },
    {
      id: 'tenant',
      head: 'Tenant',
      width: '90px',
      leavesBelowPx: 1_000,
      cell: ({ tenant }) => (tenant === '*' ? 'all' : tenant),
    },
    { id: 'by', head: 'Created by', width: '110px', leavesBelowPx: 1_180, cell: (token) => token.created_by },
    {
      id: 'used',
      head: 'Last used',
      width: '120px',
      cell: (token) => (token.last_used_at === null ? 'never' : <Time at={token.last_used_at} />),
    },
    {
      id: 'expires',
      head: 'Expires',
      width: '120px',
      leavesBelowPx: 1_000,
      cell: (token) => (token.expires_at === null ? 'never' : <Time at={token.expires_at} />),
    },
    {
      id: 'actions',
      head: 'Actions',
      isHeadUnseen: true,
      width: '110px',
      cell: (token) => <Revoke token={token} ask={ask} />,
    },
  ];
}

/** The scopes of a token, and what limits them. */
function mayOf({ scopes: held, only, secrets, agent, approval }: Token): string[] {
  return [
    ...held,
    ...(only ? [`only ${only.join(' ')}`] : []),
    ...(secrets ? [secrets.length === 0 ? 'no stored secrets' : `only the secrets ${secrets.join(' ')}`] : []),
    ...(agent ? ['as an agent'] : []),
    ...(approval ? ['each run requires an approval'] : []),
  ];
}

function Revoke(o: { readonly token: Token; readonly ask: (token: Token) => void }): ReactNode {
  const { token } = o;
  if (token.status !== 'active') return <span className={styles.quiet}>{token.status}</span>;
  return (
    <Button size="small" look="danger" aria-label={`Revoke… ${token.name}`} onClick={() => o.ask(token)}>
      Revoke…
    </Button>
  );
}

const lifetimes = [
  { value: '30d', label: 'in 30 days' },
  { value: '90d', label: 'in 90 days' },
  { value: '365d', label: 'in a year' },
  { value: 'never', label: 'never' },
] as const;

function TokenForm(o: { readonly close: () => void; readonly made: () => void }): ReactNode {
  const [name, setName] = useState('');
  const [tenant, setTenant] = useState('');
  const [chosen, setChosen] = useState<ReadonlySet<Scope>>(new Set());
  const [only, setOnly] = useState('');
  const [isForAgent, setForAgent] = useState(false);
  const [asksAlways, setAsksAlways] = useState(false);
  const [lifetime, setLifetime] = useState<(typeof lifetimes)[number]['value']>('90d');
  const [made, setMade] = useState<AnswerOf<'createToken'> | null>(null);
  const { act, isBusy, error } = useActions(o.made);
  if (made) return <ShownOnce title={`The token ${made.name}`} what="token" text={made.token} close={o.close} />;
  const create = () =>
    act(async (client) => {
      const body = {
        name,
        scopes: [...chosen],
        ...(tenant !== '' && { tenant }),
        ...(lifetime !== 'never' && { expires_in: lifetime }),
        ...(only.trim() !== '' && { only: only.trim().split(/[\s,]+/) }),
        ...(isForAgent && { agent: true }),
        ...(asksAlways && { approval: 'always' as const }),
      };
      setMade(await client.call('createToken', { body }));
    });
  const actions = (
    <>
      <Button onClick={o.close}>Cancel</Button>
      <Button look="primary" disabled={isBusy || name === '' || chosen.size === 0} onClick={() => void create()}>
        Create the token
      </Button>
    </>
  );
  return (
    <Dialog title="New token" close={o.close} size="wide" actions={actions}>
      <div className={styles.form}>
        <Field label="Name" isRequired hint="Letters, digits, dots, dashes; no other active token may have this name">
          {(attributes) => <Input {...attributes} value={name} onChange={(event) => setName(event.target.value)} />}
        </Field>
        <fieldset className={styles.scopes}>
          <legend>What it may do</legend>
          {scopes.map((scope) => (
            <Checkbox
              key={scope}
              label={scope}
              checked={chosen.has(scope)}
              onChange={(isChosen) =>
                setChosen((now) => new Set(isChosen ? [...now, scope] : [...now].filter((one) => one !== scope)))
              }
            />
          ))}
        </fieldset>
        <Field label="Only these jobs" hint="Patterns such as reports/**, or tag:agent; empty: all jobs">
          {(attributes) => <Input {...attributes} value={only} onChange={(event) => setOnly(event.target.value)} />}
        </Field>
        <Checkbox
          label="An agent uses this token: jobs can require an approval of each run"
          checked={isForAgent}
          onChange={setForAgent}
        />
        <Checkbox
          label="Each run that this token starts requires an approval"
          checked={asksAlways}
          onChange={setAsksAlways}
        />
        <Field
          label="Tenant"
          hint="Empty: your own tenant, or the default tenant if you have all tenants; *: all tenants"
        >
          {(attributes) => <Input {...attributes} value={tenant} onChange={(event) => setTenant(event.target.value)} />}
        </Field>
        <Field label="Expires">
          {(attributes) => (
            <Select {...attributes} label="Expires" choices={lifetimes} value={lifetime} onChange={setLifetime} />
          )}
        </Field>
        {error !== null && <ErrorNote text={error} />}
      </div>
    </Dialog>
  );
}
