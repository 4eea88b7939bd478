// Stored secrets. They are set, replaced and deleted here, and never shown.

import { Plus, RotateCw } from 'lucide-react';
import { type ReactNode, useMemo, useState } from 'react';
import type { AnswerOf } from '../../contract/operations.ts';
import { Button } from '../design/controls/Button.tsx';
import { Confirm, Dialog } from '../design/controls/Dialog.tsx';
import { Field, Input } from '../design/controls/Input.tsx';
import { Popover } from '../design/controls/Popover.tsx';
import { type Column, Table } from '../design/table/Table.tsx';
import { Card } from '../design/text/Card.tsx';
import { PageBody, PageHeader } from '../design/text/PageHeader.tsx';
import { StatusIcon } from '../design/text/Status.tsx';
import { Time } from '../design/text/Time.tsx';
import { useActions } from '../session/actions.ts';
import { useAnswer, useRefresh } from '../session/answers.tsx';
import { useScopes } from '../session/scopes.ts';
import { LineInput } from '../start/FieldInput.tsx';
import { Empty, ErrorNote, Shown } from '../widgets/Notes.tsx';
import { countWords, harmless } from '../words.ts';
import styles from './Admin.module.css';
import { JobLink } from './JobLink.tsx';

type Secrets = AnswerOf<'listSecrets'>;
type Secret = Secrets['secrets'][number];
type Asked =
  | { readonly what: 'delete' | 'replace'; readonly secret: Secret }
  | { readonly what: 'new'; readonly name: string }
  | { readonly what: 'rotate' };

export function SecretsPage(): ReactNode {
  const may = useScopes();
  const refresh = useRefresh();
  const changed = (): void => refresh({ queryKey: ['secrets'] });
  const secrets = useAnswer(['secrets'], (client, signal) => client.call('listSecrets', { signal }));
  const { act, isBusy, error } = useActions(changed);
  const [asked, setAsked] = useState<Asked | null>(null);
  const [rotated, setRotated] = useState<AnswerOf<'rotateSecrets'> | null>(null);
  const close = (): void => setAsked(null);
  const rotate = () =>
    act(async (client) => {
      let answer = await client.call('rotateSecrets');
      while (!answer.done) answer = await client.call('rotateSecrets');
      setRotated(answer);
    });
  return (
    <>
      <PageHeader title="Secrets" count={secrets.data?.total}>
        {may('admin') && (
          <Button icon={RotateCw} disabled={isBusy} onClick={() => setAsked({ what: 'rotate' })}>
            Rotate the key…
          </Button>
        )}
        <Button look="primary" icon={Plus} onClick={() => setAsked({ what: 'new', name: '' })}>
          Set a secret
        </Button>
      </PageHeader>
      {error !== null && <ErrorNote text={error} />}
      <p role="status" className={rotated ? styles.bar : 'unseen'}>
        {rotated && rotatedWords(rotated)}
      </p>
      <Shown of={secrets} what="secret names">
        {({ secrets: rows, missing }) => (
          <>
            <SecretTable rows={rows} ask={setAsked} />
            {missing !== null && missing.length > 0 && (
              <Missing of={missing} set={(name) => setAsked({ what: 'new', name })} />
            )}
          </>
        )}
      </Shown>
      {asked?.what === 'new' && <SecretForm secret={null} name={asked.name} close={close} changed={changed} />}
      {asked?.what === 'replace' && (
        <SecretForm secret={asked.secret} name={asked.secret.name} close={close} changed={changed} />
      )}
      {asked?.what === 'delete' && (
        <Confirm
          title={`Delete the secret ${asked.secret.name}?`}
          text="Jobs that use this secret can no longer start. Runs that already have it keep their copy."
          yes="Delete the secret"
          no="Keep it"
          confirm={() => void act((client) => client.request('deleteSecret', pathOf(asked.secret)))}
          close={close}
        />
      )}
      {asked?.what === 'rotate' && (
        <Confirm
          title="Rotate the key?"
          text="flwd encrypts everything with a new key, and removes the old key once nothing needs it. Back up the key file afterwards."
          yes="Rotate the key"
          no="Keep the key"
          confirm={() => void rotate()}
          close={close}
        />
      )}
    </>
  );
}

function SecretTable(o: { readonly rows: readonly Secret[]; readonly ask: (asked: Asked) => void }): ReactNode {
  const { rows, ask } = o;
  const columns = useMemo(() => columnsOf(ask), [ask]);
  if (rows.length === 0)
    return (
      <Empty>
        No secrets yet. Set one here, or with <code>flwd secrets set NAME</code>. Its value is never shown again.
      </Empty>
    );
  return (
    <Table
      label="Secrets"
      rows={rows}
      columns={columns}
      keyOf={({ tenant, name }) => `${tenant}/${name}`}
      compact={(secret) => (
        <div className={styles.compact}>
          <span className={styles.mono}>{secret.name}</span>
          <SecretActions secret={secret} ask={ask} />
          <span className={styles.wholeLine}>
            <Uses of={secret} />
          </span>
        </div>
      )}
    />
  );
}

function pathOf({ name, tenant }: Pick<Secret, 'name' | 'tenant'>) {
  return { path: { name }, query: { tenant } };
}

function rotatedWords({ key_id: key, resealed, unopened, advice }: AnswerOf<'rotateSecrets'>): string {
  const count = countWords(resealed.secrets + resealed.runs + resealed.steps);
  const lost = unopened > 0 ? ` ${countWords(unopened)} could not be decrypted.` : '';
  return `The key ${key} now encrypts everything: ${count} values were encrypted again.${lost} ${advice ?? ''}`;
}

function columnsOf(ask: (asked: Asked) => void): readonly Column<Secret>[] {
  return [
    { id: 'name', head: 'Name', cell: ({ name }) => <code title={name}>{name}</code> },
    { id: 'jobs', head: 'Used by', cell: (secret) => <Uses of={secret} /> },
    { id: 'tenant', head: 'Tenant', width: '110px', leavesBelowPx: 1_180, cell: ({ tenant }) => tenant },
    { id: 'changed', head: 'Changed', width: '120px', cell: (secret) => <Time at={secret.updated_at} /> },
    { id: 'by', head: 'By', width: '90px', leavesBelowPx: 1_180, cell: (secret) => secret.updated_by },
    {
      id: 'actions',
      head: 'Actions',
      isHeadUnseen: true,
      width: '180px',
      cell: (secret) => <SecretActions secret={secret} ask={ask} />,
    },
  ];
}

const mostNamed = 2;

/** Shows the jobs that name the secret, and what else uses it. */
function Uses({ of: { used_by: jobIds, also_used_by: others } }: { readonly of: Secret }): ReactNode {
  if (!others || others.length === 0) return <UsedBy jobIds={jobIds} />;
  return (
    <span className={styles.inLine}>
      {jobIds && jobIds.length > 0 && <UsedBy jobIds={jobIds} />}
      <span>{others.join(', ')}</span>
    </span>
  );
}

/** Links to the jobs that name the secret; empty if the caller may not read jobs. */
function UsedBy({ jobIds }: { readonly jobIds: readonly string[] | null }): ReactNode {
  if (jobIds === null) return null;
  if (jobIds.length === 0) return <span className={styles.quiet}>no job names it</span>;
  const named = jobIds.length > mostNamed + 1 ? jobIds.slice(0, mostNamed) : jobIds;
  const rest = jobIds.length - named.length;
  return (
    <span className={styles.inLine}>
      {named.map((id) => (
        <JobLink key={id} id={id} />
      ))}
      {rest > 0 && (
        <Popover
          label="Jobs that use it"
          trigger={
            <Button look="quiet" size="small" aria-label={`${rest} more jobs`}>
              +{countWords(rest)}
            </Button>
          }
        >
          <ul className={styles.jobList}>
            {jobIds.map((id) => (
              <li key={id}>
                <JobLink id={id} />
              </li>
            ))}
          </ul>
        </Popover>
      )}
    </span>
  );
}

/** Secrets that jobs name but nobody has set. Runs that need one of these secrets are refused. */
function Missing(o: { readonly of: NonNullable<Secrets['missing']>; readonly set: (name: string) => void }): ReactNode {
  return (
    <PageBody>
      <Card title="Not stored" count="jobs name these secrets" isFlush>
        <ul>
          {o.of.map(({ name, used_by: jobIds }) => (
            <li key={name} className={styles.missing}>
              <StatusIcon of="late" size={14} word="Not stored" />
              <code>{harmless(name)}</code>
              <UsedBy jobIds={jobIds} />
              <Button size="small" aria-label={`Set… ${name}`} onClick={() => o.set(name)}>
                Set…
              </Button>
            </li>
          ))}
        </ul>
      </Card>
    </PageBody>
  );
}

function SecretActions({ secret, ask }: { readonly secret: Secret; readonly ask: (asked: Asked) => void }): ReactNode {
  return (
    <span className={styles.actions}>
      <Button size="small" aria-label={`Replace… ${secret.name}`} onClick={() => ask({ what: 'replace', secret })}>
        Replace…
      </Button>
      <Button
        size="small"
        look="danger"
        aria-label={`Delete… ${secret.name}`}
        onClick={() => ask({ what: 'delete', secret })}
      >
        Delete…
      </Button>
    </span>
  );
}

function SecretForm(o: {
  readonly secret: Secret | null;
  readonly name: string;
  readonly close: () => void;
  readonly changed: () => void;
}): ReactNode {
  const [name, setName] = useState(o.name);
  const [value, setValue] = useState('');
  const { act, isBusy, error } = useActions(o.changed);
  const save = () =>
    act(async (client) => {
      const query = o.secret ? { tenant: o.secret.tenant } : {};
      await client.call('putSecret', { path: { name }, query, body: { value } });
      o.close();
    });
  const actions = (
    <>
      <Button onClick={o.close}>Cancel</Button>
      <Button look="primary" disabled={isBusy || name === '' || value === ''} onClick={() => void save()}>
        {o.secret ? 'Replace the value' : 'Set the secret'}
      </Button>
    </>
  );
  return (
    <Dialog title={o.secret ? `Replace ${o.secret.name}` : 'Set a secret'} close={o.close} actions={actions}>
      <div className={styles.form}>
        {!o.secret && (
          <Field label="Name" isRequired hint="If the secret exists, its value is replaced">
            {(attributes) => (
              <Input {...attributes} isMono value={name} onChange={(event) => setName(event.target.value)} />
            )}
          </Field>
        )}
        <Field label="Value" isRequired hint="4 bytes to 64 KiB. It is never shown again">
          {(attributes) => (
            <LineInput
              shared={attributes}
              text={value}
              set={setValue}
              look={{ type: 'text' }}
              isLong={false}
              isHidden
              placeholder=""
            />
          )}
        </Field>
        {error !== null && <ErrorNote text={error} />}
      </div>
    </Dialog>
  );
}
