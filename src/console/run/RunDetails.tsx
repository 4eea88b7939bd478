// The facts about a run that its page shows nowhere else, and the run as JSON.

import { type ReactNode, useState } from 'react';
import { grantText } from '../../client/grant-text.ts';
import { inGroups } from '../../client/shown-steps.ts';
import { showValue } from '../../domain/argument-fields.ts';
import { sizeWords } from '../../lib/units.ts';
import { CopyButton } from '../design/controls/CopyButton.tsx';
import styles from '../log/Parts.module.css';
import { Code, Facts, Table } from '../widgets/Notes.tsx';
import { countWords, fullTime, type Run } from '../words.ts';

export function RunDetails({ run }: { readonly run: Run }): ReactNode {
  const { isolation, profile } = run.security;
  const [isShown, setShown] = useState(false);
  const json = JSON.stringify(run, null, 2);
  const labels = Object.entries(run.labels).map(([name, value]) => `${name}=${value}`);
  return (
    <div className={styles.parts}>
      <Part title="Arguments" end={<CopyButton label="Copy as JSON" text={JSON.stringify(run.args, null, 2)} />}>
        {Object.keys(run.args).length === 0 ? (
          <p className={styles.quiet}>The run has no arguments.</p>
        ) : (
          <Facts
            of={Object.entries(run.args).map(([name, value]) => [name, <code key={name}>{showValue(value)}</code>])}
          />
        )}
      </Part>
      <Part title="Run">
        <Facts
          of={[
            ['Id', <code key="id">{run.run_id}</code>],
            ['Created', fullTime(run.created_at)],
            ['Started', run.started_at === null ? null : fullTime(run.started_at)],
            ['Ended', run.finished_at === null ? null : fullTime(run.finished_at)],
            ['Attempt', run.attempt === 1 ? null : String(run.attempt)],
            ['Exit code', run.exit_code === null ? null : String(run.exit_code)],
            ['Source', `${run.source.name} (${run.source.type})`],
            ['Revision', <code key="revision">{run.source.revision}</code>],
            ['Tenant', run.tenant],
            ['Priority', run.priority === 0 ? null : String(run.priority)],
            ['Labels', labels.join(', ')],
            ['Worker', run.worker],
            ['Request', run.request_id],
          ]}
        />
      </Part>
      <Outputs run={run} />
      <Part title="Isolation">
        <Facts
          of={[
            ['Profile', profile],
            ...Object.entries(isolation).map(([name, value]) => [wordsOf(name), isolationWords(name, value)] as const),
            ['Grants', run.grants.map(grantText).join(', ')],
          ]}
        />
      </Part>
      <Part title="Limits">
        <Facts of={Object.entries(run.limits).map(([name, value]) => [wordsOf(name), limitWords(value)])} />
      </Part>
      <Part title="As JSON" end={<CopyButton label="Copy the run as JSON" text={json} />}>
        <details onToggle={(event) => setShown(event.currentTarget.open)}>
          <summary>Show what the API answers</summary>
          {isShown && <Code label="The run as JSON" text={json} />}
        </details>
      </Part>
    </div>
  );
}

function Part(o: { readonly title: string; readonly end?: ReactNode; readonly children: ReactNode }): ReactNode {
  return (
    <section className={styles.partOf}>
      <div className={styles.head}>
        <h2>{o.title}</h2>
        {o.end}
      </div>
      {o.children}
    </section>
  );
}

function Outputs({ run }: { readonly run: Run }): ReactNode {
  const steps = inGroups(run.steps).filter(({ outputs }) => Object.keys(outputs).length > 0);
  if (steps.length === 0) return null;
  return (
    <Part title="Outputs of steps">
      <Table
        label="Step outputs"
        head={['Step', 'Name', 'Value']}
        rows={steps.flatMap(({ step_id: id, outputs }) =>
          Object.entries(outputs).map(([name, value]) => [id, name, <code key="value">{value}</code>]),
        )}
      />
    </Part>
  );
}

/** `user_namespace` → "User namespace" */
function wordsOf(name: string): string {
  const words = name.replaceAll('_', ' ');
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}`;
}

function isolationWords(name: string, value: unknown): string {
  // Users do not need the version of the seccomp filter.
  if (name === 'seccomp') return value === null ? 'off' : 'on';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return Array.isArray(value) ? value.join(', ') : showValue(value);
}

function limitWords(limit: unknown): string {
  if (typeof limit === 'number') return sizeWords(limit);
  if (typeof limit !== 'object' || limit === null) return 'no limit';
  return Object.entries(limit)
    .map(([name, value]) => {
      if (name === 'bytes') return sizeWords(Number(value));
      if (name === 'by') return `by ${value}`;
      return `${countWords(Number(value))} ${name === 'count' ? 'processes' : name}`;
    })
    .join(', ');
}
