// The form that creates a webhook. It then shows the address of the webhook, which is shown only this once.

import { type ReactNode, useState } from 'react';
import type { AnswerOf } from '../../contract/operations.ts';
import { type WebhookScheme, webhookSchemes } from '../../domain/trigger/webhook.ts';
import { Button } from '../design/controls/Button.tsx';
import { Dialog } from '../design/controls/Dialog.tsx';
import { Field, Input } from '../design/controls/Input.tsx';
import { Select } from '../design/controls/Select.tsx';
import { useChosenJob } from '../jobs/catalog.ts';
import { JobField } from '../jobs/JobField.tsx';
import { useActions } from '../session/actions.ts';
import { ErrorNote } from '../widgets/Notes.tsx';
import { harmless } from '../words.ts';
import styles from './Admin.module.css';
import { ShownOnce } from './ShownOnce.tsx';

type Made = AnswerOf<'createWebhook'>;

const schemes = webhookSchemes.map((value) => ({
  value,
  label: value === 'token' ? 'not signed: the address itself is secret' : value,
}));

type Terms = {
  readonly jobId: string;
  readonly name: string;
  readonly scheme: WebhookScheme;
  readonly secret: string;
  readonly condition: string;
  readonly args: Readonly<Record<string, string>>;
};

const noTerms: Terms = { jobId: '', name: '', scheme: 'token', secret: '', condition: '', args: {} };

export function WebhookForm(o: { readonly close: () => void; readonly changed: () => void }): ReactNode {
  const [terms, setTerms] = useState(noTerms);
  const [made, setMade] = useState<Made | null>(null);
  const { act, isBusy, error } = useActions(o.changed);
  if (made) return <MadeWebhook made={made} close={o.close} />;
  const create = () => act(async (client) => setMade(await client.call('createWebhook', { body: bodyOf(terms) })));
  const isComplete = terms.jobId !== '' && (terms.scheme === 'token' || terms.secret !== '');
  const actions = (
    <>
      <Button onClick={o.close}>Cancel</Button>
      <Button look="primary" disabled={isBusy || !isComplete} onClick={() => void create()}>
        Create the webhook
      </Button>
    </>
  );
  return (
    <Dialog title="New webhook" close={o.close} size="wide" actions={actions}>
      <div className={styles.form}>
        <TermFields terms={terms} change={(changes) => setTerms((now) => ({ ...now, ...changes }))} />
        {error !== null && <ErrorNote text={error} />}
      </div>
    </Dialog>
  );
}

function bodyOf({ jobId, name, scheme, secret, condition, args }: Terms) {
  const given = Object.entries(args).filter(([, text]) => text !== '');
  return {
    job_id: jobId,
    scheme,
    ...(name !== '' && { name }),
    ...(scheme !== 'token' && { secret }),
    ...(condition !== '' && { if: condition }),
    ...(given.length > 0 && { args: Object.fromEntries(given) }),
  };
}

function TermFields(o: { readonly terms: Terms; readonly change: (changes: Partial<Terms>) => void }): ReactNode {
  const { jobId, name, scheme, secret, condition, args } = o.terms;
  const { change } = o;
  return (
    <>
      <JobField jobId={jobId} change={(chosen) => change({ jobId: chosen, args: {} })} />
      <TextField
        label="Name"
        hint="Empty: the server chooses one"
        value={name}
        change={(text) => change({ name: text })}
      />
      <Field
        label="How the service signs"
        hint={
          scheme === 'token'
            ? 'Everybody who knows the address can start the job, at most 10 times a minute'
            : 'Deliveries without this signature are refused'
        }
      >
        {(attributes) => (
          <Select
            {...attributes}
            label="How the service signs"
            size="form"
            choices={schemes}
            value={scheme}
            onChange={(chosen) => change({ scheme: chosen })}
          />
        )}
      </Field>
      {scheme !== 'token' && (
        <TextField
          label="Secret"
          isRequired
          hint="The name of the stored secret that you share with the service"
          value={secret}
          change={(text) => change({ secret: text })}
        />
      )}
      <TextField
        label="Only if"
        hint='An expression, such as event == "push". Empty: every delivery starts a run'
        value={condition}
        change={(text) => change({ condition: text })}
      />
      {jobId !== '' && <Arguments jobId={jobId} args={args} change={(next) => change({ args: next })} />}
    </>
  );
}

function Arguments(o: {
  readonly jobId: string;
  readonly args: Readonly<Record<string, string>>;
  readonly change: (args: Readonly<Record<string, string>>) => void;
}): ReactNode {
  const job = useChosenJob(o.jobId);
  const { properties, required }: { readonly properties?: unknown; readonly required?: unknown } = job.data?.args ?? {};
  const names = typeof properties === 'object' && properties !== null ? Object.keys(properties) : [];
  if (names.length === 0) return null;
  return (
    <fieldset className={styles.fields}>
      <legend>Arguments, as expressions that can use body, event, headers and query</legend>
      {names.map((one) => (
        <TextField
          key={one}
          label={harmless(one)}
          isRequired={Array.isArray(required) && required.includes(one)}
          hint={`Such as body.${harmless(one)}`}
          value={o.args[one] ?? ''}
          change={(text) => o.change({ ...o.args, [one]: text })}
        />
      ))}
    </fieldset>
  );
}

function TextField(o: {
  readonly label: string;
  readonly hint: string;
  readonly value: string;
  readonly change: (text: string) => void;
  readonly isRequired?: boolean;
}): ReactNode {
  return (
    <Field label={o.label} hint={o.hint} isRequired={o.isRequired ?? false}>
      {(attributes) => (
        <Input {...attributes} isMono value={o.value} onChange={(event) => o.change(event.target.value)} />
      )}
    </Field>
  );
}

function MadeWebhook({ made, close }: { readonly made: Made; readonly close: () => void }): ReactNode {
  const address = made.url ?? location.origin + made.hook;
  return (
    <ShownOnce title={`The webhook ${made.name}`} what="address" text={address} close={close}>
      {made.scheme === 'token' && (
        <p>
          Treat it like a password: everybody who knows it can start {harmless(made.job_id)}, at most {made.per_minute}{' '}
          times a minute.
        </p>
      )}
    </ShownOnce>
  );
}
