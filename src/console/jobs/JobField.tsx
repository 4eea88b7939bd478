// Chooses a job of the catalog by a part of its id.

import type { ReactNode } from 'react';
import { Field } from '../design/controls/Input.tsx';
import { Combobox } from '../design/controls/Select.tsx';
import { isLoading, useAnswer } from '../session/answers.tsx';
import { harmless } from '../words.ts';

export function JobField(o: {
  /** Empty: no job is chosen yet. */
  readonly jobId: string;
  readonly change: (jobId: string) => void;
}): ReactNode {
  const jobs = useAnswer(['jobs', 'ids'], (client, signal) => client.call('listJobs', { signal }));
  return (
    <Field label="Job" isRequired error={jobs.error && harmless(jobs.error.message)}>
      {(attributes) => (
        <Combobox
          {...attributes}
          label="Job"
          size="form"
          placeholder="Type a part of its name"
          isLoading={isLoading(jobs)}
          choices={(jobs.data?.jobs ?? []).map(({ id }) => ({ value: id, label: harmless(id) }))}
          value={o.jobId === '' ? null : o.jobId}
          onChange={o.change}
        />
      )}
    </Field>
  );
}
