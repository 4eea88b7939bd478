// What a run has besides its log: artifacts, what it was started with and ran in, and what happened to it.

import { type ReactNode, useEffect, useState } from 'react';
import { faultText } from '../client/fault-words.ts';
import type { AnswerOf } from '../contract/operations.ts';
import { showValue } from '../domain/argument-fields.ts';
import { eventTypes } from '../domain/event.ts';
import { formatSize } from '../lib/units.ts';
import { CopyButton } from './CopyButton.tsx';
import { useLoaded } from './loading.ts';
import { Code, Empty, Facts, Fault, Loading, Scrolls, Shown, Table, Time } from './Notes.tsx';
import { onDemand } from './on-demand.tsx';
import { readRunEvents } from './run-events.ts';
import { saveAnswer } from './save.ts';
import { useClient } from './session.tsx';
import { clockTime, fullTime, type Run } from './words.ts';

const Markdown = onDemand('the artifact', async () => (await import('./Markdown.tsx')).Markdown);

type Artifact = AnswerOf<'listArtifacts'>['artifacts'][number];

/**
 * What is shown by an `<img>`, from memory. As the image of a page an SVG runs no script and loads nothing; opened by itself it
 * has the policy of the page that made its address.
 */
const pictures = ['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/svg+xml'];
const mostPreviewBytes = 2 ** 20;
const mostPreviewText = 200_000;

export function Artifacts({ run }: { readonly run: Run }): ReactNode {
  const client = useClient();
  const runId = run.run_id;
  const loaded = useLoaded({ key: `${runId} ${run.finished_at}` }, (signal) =>
    client.call('listArtifacts', { query: { run_id: runId }, signal }),
  );
  const [opened, setOpened] = useState<string | null>(null);
  const [fault, setFault] = useState<string | null>(null);
  const save = ({ id, name }: Artifact): void => {
    setFault(null);
    saveAnswer(client.request('getArtifact', { path: { artifact_id: id } }), name).catch((error: unknown) =>
      setFault(faultText(error)),
    );
  };
  return (
    <Shown of={loaded} what="the artifacts">
      {({ artifacts }) =>
        artifacts.length === 0 ? (
          <Empty>
            {run.finished_at === null
              ? 'They are taken when the run ends, all of them together.'
              : 'It has left no artifacts.'}
          </Empty>
        ) : (
          <>
            {fault !== null && <Fault text={fault} />}
            <ul className="rows" aria-label="Artifacts">
              {artifacts.map((artifact) => (
                <li key={artifact.id}>
                  <span className="what">
                    <strong>{artifact.name}</strong>
                    <span className="quiet">
                      {formatSize(artifact.size_bytes)}, {artifact.media_type}, {artifact.step_id}
                      {artifact.expires_at !== null && (
                        <>
                          , kept until <Time at={artifact.expires_at} />
                        </>
                      )}
                    </span>
                  </span>
                  <span className="actions">
                    {isShowable(artifact) && (
                      <button
                        type="button"
                        aria-expanded={opened === artifact.id}
                        onClick={() => setOpened(opened === artifact.id ? null : artifact.id)}
                      >
                        Preview {artifact.name}
                      </button>
                    )}
                    <button type="button" onClick={() => save(artifact)}>
                      Download {artifact.name}
                    </button>
                  </span>
                  {opened === artifact.id && <Preview artifact={artifact} />}
                </li>
              ))}
            </ul>
          </>
        )
      }
    </Shown>
  );
}

function isShowable({ media_type: type, size_bytes: size }: Artifact): boolean {
  return size <= mostPreviewBytes && (isPicture(type) || /^text\/|[/+](?:json|xml|yaml|javascript)\b/.test(type));
}

function isPicture(type: string): boolean {
  return pictures.includes(essenceOf(type));
}

/** Of `text/markdown; charset=utf-8` what stands before the parameters. */
function essenceOf(type: string): string {
  return (type.split(';')[0] ?? '').trim().toLowerCase();
}

type Content = { readonly text: string; readonly isCut: boolean } | { readonly url: string };

function Preview({ artifact }: { readonly artifact: Artifact }): ReactNode {
  const client = useClient();
  const [content, setContent] = useState<Content | null>(null);
  const [fault, setFault] = useState<string | null>(null);
  const { id, media_type: type } = artifact;
  useEffect(() => {
    const ending = new AbortController();
    let url: string | undefined;
    const read = async (): Promise<void> => {
      const response = await client.request('getArtifact', { path: { artifact_id: id }, signal: ending.signal });
      if (!isPicture(type)) {
        const text = await response.text();
        setContent({ text: text.slice(0, mostPreviewText), isCut: text.length > mostPreviewText });
        return;
      }
      url = URL.createObjectURL(new Blob([await response.arrayBuffer()], { type }));
      setContent({ url });
    };
    read().catch((error: unknown) => !ending.signal.aborted && setFault(faultText(error)));
    return () => {
      ending.abort();
      if (url !== undefined) URL.revokeObjectURL(url);
    };
  }, [client, id, type]);
  if (fault !== null) return <Fault text={fault} />;
  if (!content) return <Loading what="the artifact" />;
  if ('url' in content) return <img className="preview" src={content.url} alt={artifact.name} />;
  const label = `Content of ${artifact.name}`;
  return (
    <>
      {essenceOf(type) === 'text/markdown' ? (
        <Scrolls label={label} className="code preview">
          <Markdown text={content.text} />
        </Scrolls>
      ) : (
        <Code label={label} text={content.text} />
      )}
      {content.isCut && (
        <p className="quiet preview">
          These are its first {mostPreviewText.toLocaleString('en')} characters. The rest is in what is downloaded.
        </p>
      )}
    </>
  );
}

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
          ['Grants', run.grants.map(({ kind, path }) => (path === undefined ? kind : `${kind} ${path}`)).join(', ')],
        ]}
      />
      <h2>Limits</h2>
      <Facts of={Object.entries(run.limits).map(([name, value]) => [name.replaceAll('_', ' '), limitWords(value)])} />
    </>
  );
}

function Outputs({ run }: { readonly run: Run }): ReactNode {
  const steps = run.steps.filter(({ outputs }) => Object.keys(outputs).length > 0);
  if (steps.length === 0) return null;
  return (
    <>
      <h2>Outputs of its steps</h2>
      <Table
        label="Outputs of its steps"
        head={['step', 'name', 'value']}
        rows={steps.flatMap(({ step_id: id, outputs }) =>
          Object.entries(outputs).map(([name, value]) => [<code key="step">{id}</code>, name, value]),
        )}
      />
    </>
  );
}

function isolationWords(name: string, value: unknown): string {
  // Its version says nothing to a person.
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

/** All but its output, which is its log. */
const eventsShown = eventTypes.filter((type) => !type.endsWith('.output') && type !== 'run.progress');

/** `nudge` grows with what happens to the run. */
export function RunEvents({ run, nudge }: { readonly run: Run; readonly nudge: number }): ReactNode {
  const client = useClient();
  const runId = run.run_id;
  const loaded = useLoaded({ key: runId, nudge }, async (signal) =>
    readRunEvents(client, { runId, types: eventsShown, signal }),
  );
  return (
    <Shown of={loaded} what="the events">
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
