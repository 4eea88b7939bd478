// Two tabs of a run: its details (arguments, isolation, limits) and its events.

import type { ReactNode } from 'react';
import { grantText } from '../../client/grant-text.ts';
import { inGroups } from '../../client/shown-steps.ts';
import { showValue } from '../../domain/argument-fields.ts';
import { eventTypes } from '../../domain/event.ts';
import { formatSize } from '../../lib/units.ts';
import { useAnswer } from '../session/answers.tsx';
import { CopyButton } from '../widgets/CopyButton.tsx';
import { Facts, Shown, Table } from '../widgets/Notes.tsx';
import { clockTime, fullTime, type Run } from '../words.ts';
import { readRunEvents } from './run-events.ts';

export function RunDetails({ run }: { readonly run: Run }): ReactNode {
  const { isolation, profile } = run.security;
  return (
    <>
      <h2>Arguments</h2>
      {Object.keys(run.args).length === 0 ? (
        <p className="quiet">None.</p>
      ) : (
        <>
          <Facts
            of={Object.entries(run.args).map(([name, value]) => [name, <code key={name}>{showValue(value)}</code>])}
          />
          <CopyButton label="Copy as JSON" text={JSON.stringify(run.args, null, 2)} />
        </>
      )}
      <h2>Run</h2>
      <Facts
        of={[
          ['Created', fullTime(run.created_at)],
          ['Started', run.started_at === null ? null : fullTime(run.started_at)],
          ['Ended', run.finished_at === null ? null : fullTime(run.finished_at)],
          ['Source', `${run.source.name} (${run.source.type})`],
          ['Revision', <code key="revision">{run.source.revision}</code>],
          ['Tenant', run.tenant],
          ['Priority', run.priority === 0 ? null : String(run.priority)],
          [
            'Labels',
            Object.entries(run.labels)
              .map(([name, value]) => `${name}=${value}`)
              .join(', '),
          ],
          ['Worker', run.worker],
          ['Request', run.request_id],
        ]}
      />
      <Outputs run={run} />
      <h2>Isolation</h2>
      <Facts
        of={[
          ['Profile', profile],
          ...Object.entries(isolation).map(
            ([name, value]) => [name.replaceAll('_', ' '), isolationWords(name, value)] as const,
          ),
          ['Grants', run.grants.map(grantText).join(', ')],
        ]}
      />
      <h2>Limits</h2>
      <Facts of={Object.entries(run.limits).map(([name, value]) => [name.replaceAll('_', ' '), limitWords(value)])} />
    </>
  );
}

function Outputs({ run }: { readonly run: Run }): ReactNode {
  const steps = inGroups(run.steps).filter(({ outputs }) => Object.keys(outputs).length > 0);
  if (steps.length === 0) return null;
  return (
    <>
      <h2>Step outputs</h2>
      <Table
        label="Step outputs"
        head={['step', 'name', 'value']}
        rows={steps.flatMap(({ step_id: id, outputs }) =>
          Object.entries(outputs).map(([name, value]) => [<code key="step">{id}</code>, name, value]),
        )}
      />
    </>
  );
}

function isolationWords(name: string, value: unknown): string {
  // The version of the filter tells a user nothing.
  if (name === 'seccomp') return value === null ? 'off' : 'on';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return Array.isArray(value) ? value.join(', ') : showValue(value);
}

function limitWords(limit: unknown): string {
  if (typeof limit === 'number') return formatSize(limit);
  if (typeof limit !== 'object' || limit === null) return 'none';
  return Object.entries(limit)
    .map(([name, value]) => {
      if (name === 'bytes') return formatSize(Number(value));
      if (name === 'by') return `by ${value}`;
      return `${Number(value).toLocaleString('en')} ${name === 'count' ? 'processes' : name}`;
    })
    .join(', ');
}

/** All events but the output, which is in the log. */
const eventsShown = eventTypes.filter((type) => !type.endsWith('.output') && type !== 'run.progress');

export function RunEvents({ run }: { readonly run: Run }): ReactNode {
  const runId = run.run_id;
  const answer = useAnswer(['run', runId, 'events'], (client, signal) =>
    readRunEvents(client, { runId, types: eventsShown, signal }),
  );
  return (
    <Shown of={answer} what="events">
      {(events) => (
        <ol className="events">
          {events.map((event, index) => {
            const { event: name, timestamp, id: _, run_id: __, job_id: ___, tenant: ____, ...rest } = event;
            return (
              <li key={index}>
                <time className="quiet" dateTime={showValue(timestamp)} title={fullTime(showValue(timestamp))}>
                  {clockTime(showValue(timestamp))}
                </time>{' '}
                <strong>{showValue(name)}</strong>{' '}
                <span className="quiet">
                  {Object.entries(rest)
                    .filter(([, value]) => value !== null)
                    .map(([member, value]) => `${member}: ${showValue(value)}`)
                    .join(', ')}
                </span>
              </li>
            );
          })}
        </ol>
      )}
    </Shown>
  );
}
