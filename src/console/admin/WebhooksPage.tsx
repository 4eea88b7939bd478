// Webhooks: the addresses at which other services start jobs, each with the result of its last delivery.

import { Plus } from 'lucide-react';
import { type ReactNode, useMemo, useState } from 'react';
import { whyOf } from '../../domain/trigger/webhook-notes.ts';
import { Button } from '../design/controls/Button.tsx';
import { CopyButton } from '../design/controls/CopyButton.tsx';
import { Confirm } from '../design/controls/Dialog.tsx';
import { type Column, Table } from '../design/table/Table.tsx';
import { Chip } from '../design/text/Chip.tsx';
import { PageHeader } from '../design/text/PageHeader.tsx';
import { Age } from '../design/text/Time.tsx';
import { useActions } from '../session/actions.ts';
import { useAnswer, useRefresh } from '../session/answers.tsx';
import { useScopes } from '../session/scopes.ts';
import { Empty, ErrorNote, Shown } from '../widgets/Notes.tsx';
import { harmless } from '../words.ts';
import styles from './Admin.module.css';
import { Deliveries, ResultChip } from './Deliveries.tsx';
import { JobLine } from './JobLink.tsx';
import { WebhookForm } from './WebhookForm.tsx';
import type { Webhook } from './webhook-words.ts';

type Asked = { readonly what: 'deliveries' | 'remove'; readonly webhook: Webhook } | { readonly what: 'new' };

/** The height of all rows if one of them says why its last delivery started no run. */
const higher = { rowRem: 4.25, compactRem: 6 };

export function WebhooksPage(): ReactNode {
  const may = useScopes();
  const refresh = useRefresh();
  const changed = (): void => refresh({ queryKey: ['webhooks'] });
  const webhooks = useAnswer(['webhooks'], (client, signal) => client.call('listWebhooks', { signal }));
  const { act, error } = useActions(changed);
  const [asked, setAsked] = useState<Asked | null>(null);
  const close = (): void => setAsked(null);
  const mayWrite = may('schedules:write') === true;
  const mayRead = may('runs:read') === true;
  const columns = useMemo(() => columnsOf({ ask: setAsked, mayWrite, mayRead }), [mayWrite, mayRead]);
  return (
    <>
      <PageHeader title="Webhooks" count={webhooks.data?.total}>
        {mayWrite && (
          <Button look="primary" icon={Plus} onClick={() => setAsked({ what: 'new' })}>
            New webhook
          </Button>
        )}
      </PageHeader>
      {error !== null && <ErrorNote text={error} />}
      <Shown of={webhooks} what="webhooks">
        {({ webhooks: rows }) =>
          rows.length === 0 ? (
            <Empty>
              No webhooks yet. Create one here, with <code>flwd webhooks add JOB</code>, or under <code>webhooks</code>{' '}
              in the config.yaml of a job.
            </Empty>
          ) : (
            <Table
              label="Webhooks"
              rows={rows}
              columns={columns}
              keyOf={({ id }) => id}
              {...(rows.some((webhook) => whyOf(webhook) !== '') && higher)}
              compact={(webhook) => (
                <div className={styles.compact}>
                  <JobLine id={webhook.job_id} />
                  <WebhookActions webhook={webhook} ask={setAsked} mayWrite={mayWrite} mayRead={mayRead} />
                  <span className={`${styles.wholeLine} ${styles.inLine}`}>
                    <span className={styles.cut}>{webhook.name}</span>
                    {webhook.scheme === 'token' && <Unsigned />}
                    <LastResult of={webhook} mayRead={mayRead} />
                  </span>
                  <Why of={webhook} />
                </div>
              )}
            />
          )
        }
      </Shown>
      {asked?.what === 'new' && <WebhookForm close={close} changed={changed} />}
      {asked?.what === 'deliveries' && <Deliveries of={asked.webhook} close={close} changed={changed} />}
      {asked?.what === 'remove' && (
        <Confirm
          title={`Remove the webhook ${asked.webhook.name}?`}
          text="Its address answers 404 from now on, and its deliveries are removed. Its runs stay. This cannot be undone."
          yes="Remove the webhook"
          no="Keep it"
          confirm={() =>
            void act((client) => client.request('deleteWebhook', { path: { webhook_id: asked.webhook.id } }))
          }
          close={close}
        />
      )}
    </>
  );
}

type Rights = {
  readonly ask: (asked: Asked) => void;
  readonly mayWrite: boolean;
  readonly mayRead: boolean;
};

function columnsOf(rights: Rights): readonly Column<Webhook>[] {
  return [
    { id: 'job', head: 'Job', cell: ({ job_id: id }) => <JobLine id={id} /> },
    { id: 'name', head: 'Name', width: '8%', cell: ({ name }) => <span title={name}>{name}</span> },
    {
      id: 'scheme',
      head: 'Signed by',
      width: '110px',
      cell: ({ scheme }) => (scheme === 'token' ? <Unsigned /> : scheme),
    },
    {
      id: 'hook',
      head: 'Address',
      width: 'minmax(0, 2fr)',
      leavesBelowPx: 1_180,
      cell: (webhook) => <Address of={webhook} />,
    },
    {
      id: 'last',
      head: 'Last delivery',
      width: 'minmax(0, 2fr)',
      cell: (webhook) => (
        <span className={styles.stacked}>
          <LastResult of={webhook} mayRead={rights.mayRead} />
          <Why of={webhook} />
        </span>
      ),
    },
    {
      id: 'actions',
      head: 'Actions',
      isHeadUnseen: true,
      width: '190px',
      cell: (webhook) => <WebhookActions webhook={webhook} {...rights} />,
    },
  ];
}

function Unsigned(): ReactNode {
  return <Chip look="late">not signed</Chip>;
}

/** An address with a token is shown only when the webhook is created. */
function Address({ of: { hook, job_id: jobId, name } }: { readonly of: Webhook }): ReactNode {
  if (hook === null) return <span className={styles.quiet}>shown once</span>;
  const label = `Copy the address of ${harmless(jobId)}/${name}`;
  return (
    <span className={styles.inLine}>
      <code className={styles.cut} title={harmless(hook)}>
        {harmless(hook)}
      </code>
      <CopyButton label={label} text={location.origin + hook} />
    </span>
  );
}

/** Shows the result of the last delivery to callers who may read runs. */
function LastResult({
  of: { denied, last_delivery: last },
  mayRead,
}: {
  readonly of: Webhook;
  readonly mayRead: boolean;
}): ReactNode {
  if (denied || !mayRead) return null;
  if (!last) return <span className={styles.quiet}>no delivery yet</span>;
  return (
    <span className={styles.inLine}>
      <ResultChip of={last} />
      <Age at={last.at} />
    </span>
  );
}

function Why({ of }: { readonly of: Webhook }): ReactNode {
  const why = harmless(whyOf(of));
  if (why === '') return null;
  return (
    <span className={`${styles.wholeLine} ${styles.twoLines} ${styles.error}`} title={why}>
      {why}
    </span>
  );
}

function WebhookActions({ webhook, ask, mayWrite, mayRead }: Rights & { readonly webhook: Webhook }): ReactNode {
  const name = `${webhook.job_id}/${webhook.name}`;
  return (
    <span className={styles.actions}>
      {mayRead && (
        <Button size="small" aria-label={`Deliveries of ${name}`} onClick={() => ask({ what: 'deliveries', webhook })}>
          Deliveries
        </Button>
      )}
      {mayWrite && webhook.source === 'api' && (
        <Button
          size="small"
          look="danger"
          aria-label={`Remove… ${name}`}
          onClick={() => ask({ what: 'remove', webhook })}
        >
          Remove…
        </Button>
      )}
    </span>
  );
}
