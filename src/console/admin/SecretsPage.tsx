// Stored secrets: they are set, replaced and deleted here, and never shown.

import { Plus, RotateCw } from 'lucide-react';
import { type ReactNode, useMemo, useState } from 'react';
import type { AnswerOf } from '../../contract/operations.ts';
import { Button } from '../design/controls/Button.tsx';
import { Confirm, Dialog } from '../design/controls/Dialog.tsx';
import { Field, Input } from '../design/controls/Input.tsx';
import { type Column, Table } from '../design/table/Table.tsx';
import { PageHeader } from '../design/text/PageHeader.tsx';
import { Time } from '../design/text/Time.tsx';
import { useActs } from '../session/acts.ts';
import { useAnswer, useRefresh } from '../session/answers.tsx';
import { useScopes } from '../session/scopes.ts';
import { Empty, ErrorNote, Shown } from '../widgets/Notes.tsx';
import { countWords } from '../words.ts';
import styles from './Admin.module.css';

type Secret = AnswerOf<'listSecrets'>['secrets'][number];
type Asked = { readonly what: 'delete' | 'replace'; readonly secret: Secret } | { readonly what: 'new' | 'rotate' };

export function SecretsPage(): ReactNode {
  const may = useScopes();
  const refresh = useRefresh();
  const changed = (): void => refresh({ queryKey: ['secrets'] });
  const secrets = useAnswer(['secrets'], (client, signal) => client.call('listSecrets', { signal }));
  const { act, isBusy, error } = useActs(changed);
  const [asked, setAsked] = useState<Asked | null>(null);
  const [rotated, setRotated] = useState<AnswerOf<'rotateSecrets'> | null>(null);
  const columns = useMemo(() => columnsOf(setAsked), []);
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
        <Button look="primary" icon={Plus} onClick={() => setAsked({ what: 'new' })}>
          Set a secret
        </Button>
      </PageHeader>
      {error !== null && <ErrorNote text={error} />}
      <p role="status" className={rotated ? styles.bar : 'unseen'}>
        {rotated && rotatedWords(rotated)}
      </p>
      <Shown of={secrets} what="secret names">
        {({ secrets: rows }) =>
          rows.length === 0 ? (
            <Empty>
              No secrets yet. Set one here, or with <code>flwd secrets set NAME</code>. Its value is never shown again.
            </Empty>
          ) : (
            <Table
              label="Secrets"
              rows={rows}
              columns={columns}
              keyOf={({ tenant, name }) => `${tenant}/${name}`}
              compact={(secret) => (
                <div className={styles.compact}>
                  <span className={styles.mono}>{secret.name}</span>
                  <SecretActs secret={secret} ask={setAsked} />
                </div>
              )}
            />
          )
        }
      </Shown>
      {asked?.what === 'new' && <SecretForm secret={null} close={close} changed={changed} />}
      {asked?.what === 'replace' && <SecretForm secret={asked.secret} close={close} changed={changed} />}
      {asked?.what === 'delete' && (
        <Confirm
          title={`Delete the secret ${asked.secret.name}?`}
          text="Jobs that name it can no longer start. Runs that have it already keep their copy."
          yes="Delete the secret"
          no="Keep it"
          confirm={() => void act((client) => client.request('deleteSecret', pathOf(asked.secret)))}
          close={close}
        />
      )}
      {asked?.what === 'rotate' && (
        <Confirm
          title="Rotate the key?"
          text="Everything is sealed with a new key. The old one is removed once nothing needs it. Back up the key file afterwards."
          yes="Rotate the key"
          no="Keep the key"
          confirm={() => void rotate()}
          close={close}
        />
      )}
    </>
  );
}

function pathOf({ name, tenant }: Pick<Secret, 'name' | 'tenant'>) {
  return { path: { name }, query: { tenant } };
}

function rotatedWords({ key_id: key, resealed, unopened, advice }: AnswerOf<'rotateSecrets'>): string {
  const count = countWords(resealed.secrets + resealed.runs + resealed.steps);
  const lost = unopened > 0 ? ` ${countWords(unopened)} could not be opened.` : '';
  return `The key ${key} seals everything now: ${count} values were sealed again.${lost} ${advice ?? ''}`;
}

function columnsOf(ask: (asked: Asked) => void): readonly Column<Secret>[] {
  return [
    { id: 'name', head: 'Name', cell: ({ name }) => <code title={name}>{name}</code> },
    { id: 'tenant', head: 'Tenant', width: '120px', leavesBelowPx: 1_000, cell: ({ tenant }) => tenant },
    { id: 'changed', head: 'Changed', width: '140px', cell: (secret) => <Time at={secret.updated_at} /> },
    { id: 'by', head: 'By', width: '150px', leavesBelowPx: 1_000, cell: (secret) => secret.updated_by },
    { id: 'acts', head: 'Acts', width: '180px', cell: (secret) => <SecretActs secret={secret} ask={ask} /> },
  ];
}

function SecretActs({ secret, ask }: { readonly secret: Secret; readonly ask: (asked: Asked) => void }): ReactNode {
  return (
    <span className={styles.acts}>
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
  readonly close: () => void;
  readonly changed: () => void;
}): ReactNode {
  const [name, setName] = useState(o.secret?.name ?? '');
  const [value, setValue] = useState('');
  const { act, isBusy, error } = useActs(o.changed);
  const save = () =>
    act(async (client) => {
      const query = o.secret ? { tenant: o.secret.tenant } : {};
      await client.call('putSecret', { path: { name }, query, body: { value } });
      o.close();
    });
  const acts = (
    <>
      <Button onClick={o.close}>Cancel</Button>
      <Button look="primary" disabled={isBusy || name === '' || value === ''} onClick={() => void save()}>
        {o.secret ? 'Replace the value' : 'Set the secret'}
      </Button>
    </>
  );
  return (
    <Dialog title={o.secret ? `Replace ${o.secret.name}` : 'Set a secret'} close={o.close} acts={acts}>
      <div className={styles.form}>
        {!o.secret && (
          <Field label="Name" isRequired hint="If there is such a secret, its value is replaced">
            {(attributes) => (
              <Input {...attributes} isMono value={name} onChange={(event) => setName(event.target.value)} />
            )}
          </Field>
        )}
        <Field label="Value" isRequired hint="4 bytes to 64 KiB. It is never shown again">
          {(attributes) => (
            <Input
              {...attributes}
              type="password"
              autoComplete="new-password"
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
