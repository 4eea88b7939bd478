// The options of a start besides its arguments. While the section is closed, one line says which options are set.

import { ChevronRight } from 'lucide-react';
import type { ReactNode } from 'react';
import type { AnswerOf } from '../../contract/operations.ts';
import { Field, Input } from '../design/controls/Input.tsx';
import { Select } from '../design/controls/Select.tsx';
import styles from './MoreOptions.module.css';
import { type OptionTexts, optionsSentence } from './run-options.ts';
import type { useStartForm } from './start-form.ts';

const profiles = ['secure', 'permissive', 'disabled'];

export function MoreOptions({
  form: { optionTexts, optionErrors, setOptions },
  job,
}: {
  readonly form: ReturnType<typeof useStartForm>;
  readonly job: AnswerOf<'getJob'>;
}): ReactNode {
  const set = (change: Partial<OptionTexts>): void => setOptions({ ...optionTexts, ...change });
  return (
    <details className={styles.more}>
      <summary>
        <ChevronRight size={14} strokeWidth={2.2} aria-hidden="true" />
        More <span className={styles.quiet}>{optionsSentence(optionTexts)}</span>
      </summary>
      <div className={styles.fields}>
        <Field
          label="Priority"
          hint="-100 to 100; a run with a higher priority starts first"
          error={optionErrors.priority ?? null}
        >
          {(attributes) => (
            <Input
              {...attributes}
              isMono
              inputMode="numeric"
              placeholder="0"
              value={optionTexts.priority}
              onChange={(event) => set({ priority: event.target.value })}
            />
          )}
        </Field>
        <Field label="Profile" hint="Only a profile that the job and the instance allow">
          {({ id }) => (
            <Select
              id={id}
              label="Profile"
              size="form"
              value={optionTexts.profile}
              onChange={(profile) => set({ profile })}
              choices={[
                { value: '', label: `${job.security_profile} (the profile of the job)` },
                ...profiles.map((profile) => ({ value: profile, label: profile })),
              ]}
            />
          )}
        </Field>
        <Field label="Labels" hint="key=value, separated by commas" error={optionErrors.labels ?? null}>
          {(attributes) => (
            <Input
              {...attributes}
              isMono
              placeholder="team=ops"
              value={optionTexts.labels}
              onChange={(event) => set({ labels: event.target.value })}
            />
          )}
        </Field>
      </div>
    </details>
  );
}
