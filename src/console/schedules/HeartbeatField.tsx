// The part of the form for the heartbeat. Nobody can read a stored address, so it stays until a user enters another
// address.

import type { ReactNode } from 'react';
import { Field, Input } from '../design/controls/Input.tsx';
import { Select } from '../design/controls/Select.tsx';
import { harmless } from '../words.ts';
import type { Schedule } from './schedule-data.ts';
import type { HeartbeatTerms } from './schedule-form.ts';

const choices = [
  { value: 'none', label: 'Call nothing' },
  { value: 'address', label: 'Call an address' },
  { value: 'secret', label: 'Call the address in a stored secret' },
] as const;

export function HeartbeatFields(o: {
  readonly terms: HeartbeatTerms;
  readonly change: (terms: HeartbeatTerms) => void;
  /** The heartbeat that is stored on the server. */
  readonly before: Schedule['heartbeat'];
  readonly error: string | null;
}): ReactNode {
  const { terms, change, before } = o;
  const { kind, text } = terms;
  const origin = before?.origin ?? null;
  const kept = origin === null ? [] : [{ value: 'kept', label: `Call ${harmless(origin)}, as before` } as const];
  return (
    <>
      <Field
        label="After each success"
        hint="A heartbeat: flwd calls a service, which alerts you when the calls stop"
        error={kind === 'none' || kind === 'kept' ? o.error : null}
      >
        {(attributes) => (
          <Select
            {...attributes}
            label="After each success"
            size="form"
            choices={[...kept, ...choices]}
            value={kind}
            onChange={(next) => change({ kind: next, text: next === kind ? text : '' })}
          />
        )}
      </Field>
      {kind === 'address' && (
        <Field label="Address" isRequired hint="http or https; only its host is shown later" error={o.error}>
          {(attributes) => (
            <Input
              {...attributes}
              isMono
              type="url"
              value={text}
              onChange={(event) => change({ kind, text: event.target.value })}
            />
          )}
        </Field>
      )}
      {kind === 'secret' && (
        <Field label="Secret" isRequired hint="The name of the stored secret that holds the address" error={o.error}>
          {(attributes) => (
            <Input
              {...attributes}
              isMono
              value={text}
              onChange={(event) => change({ kind, text: event.target.value })}
            />
          )}
        </Field>
      )}
    </>
  );
}
