// The artifacts of a run: their paths and sizes, and previews of those that can be shown.

import { useInfiniteQuery } from '@tanstack/react-query';
import { Download, Eye } from 'lucide-react';
import { type ReactNode, useEffect, useMemo, useState } from 'react';
import { artifactNames, artifactPlaces } from '../../client/artifact-places.ts';
import { errorText } from '../../client/error-words.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import { sizeWords } from '../../lib/units.ts';
import { saveAnswer } from '../browser.ts';
import { Button, IconButton } from '../design/controls/Button.tsx';
import { Time } from '../design/text/Time.tsx';
import styles from '../log/Parts.module.css';
import { limited } from '../session/answers.tsx';
import { useClient } from '../session/session.tsx';
import { onDemand } from '../shell/on-demand.tsx';
import { Code, Empty, ErrorNote, Loading, Scrolls, Shown, Table } from '../widgets/Notes.tsx';
import { countWords, type Run } from '../words.ts';

const Markdown = onDemand('the artifact', async () => (await import('../widgets/Markdown.tsx')).Markdown);

type Artifact = AnswerOf<'listArtifacts'>['artifacts'][number];

/**
 * These types are shown in an `<img>`, from memory. An SVG in an `<img>` runs no script and loads nothing. Even in a
 * tab of its own, an SVG would be under this page's content security policy, because this page created its `blob:`
 * address.
 */
const pictures = ['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/svg+xml'];
const mostPreviewBytes = 2 ** 20;
const mostPreviewText = 200_000;
const mostPreviewRows = 200;

export function Artifacts({ run }: { readonly run: Run }): ReactNode {
  const client = useClient();
  const { run_id: runId, finished_at: finishedAt } = run;
  const answer = useInfiniteQuery({
    queryKey: ['artifacts', runId, finishedAt],
    queryFn: ({ pageParam: cursor, signal }) =>
      client.call('listArtifacts', {
        query: { run_id: runId, ...(cursor !== '' && { cursor }) },
        signal: limited(signal),
      }),
    initialPageParam: '',
    getNextPageParam: ({ next_cursor: next }) => next,
    // Artifacts are collected when the run ends, and can expire later. So they are read when the run ends and each time
    // the tab is opened, but not in between.
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
  });
  return (
    <Shown of={answer} what="artifacts">
      {({ pages }) => {
        const artifacts = pages.flatMap((page) => page.artifacts);
        if (artifacts.length === 0)
          return (
            <Empty>
              {finishedAt === null ? 'Artifacts are collected when the run ends.' : 'This run has no artifacts.'}
            </Empty>
          );
        const count = answer.hasNextPage
          ? `${artifacts.length} of ${pages[0]?.total}.`
          : `${artifacts.length} in total.`;
        return (
          <>
            <ArtifactList artifacts={artifacts} />
            <p className={styles.more}>
              {count}{' '}
              {answer.hasNextPage && (
                <Button size="small" disabled={answer.isFetchingNextPage} onClick={() => void answer.fetchNextPage()}>
                  More
                </Button>
              )}
            </p>
          </>
        );
      }}
    </Shown>
  );
}

function ArtifactList({ artifacts }: { readonly artifacts: readonly Artifact[] }): ReactNode {
  const client = useClient();
  const [opened, setOpened] = useState<string | null>(null);
  const [error, setError] = useState<string | null>(null);
  const places = useMemo(() => artifactPlaces(artifacts), [artifacts]);
  const save = (artifact: Artifact): void => {
    setError(null);
    const { id, name } = artifact;
    const savedAs = (artifactNames(artifacts).get(id) ?? name).replaceAll('/', '-');
    saveAnswer(client.request('getArtifact', { path: { artifact_id: id } }), savedAs).catch((error: unknown) =>
      setError(errorText(error)),
    );
  };
  return (
    <>
      {error !== null && <ErrorNote text={error} />}
      <ul className={styles.rows} aria-label="Artifacts">
        {artifacts.map((artifact) => (
          <ArtifactRow
            key={artifact.id}
            artifact={artifact}
            place={places.get(artifact.id) ?? artifact.name}
            isOpen={opened === artifact.id}
            toggle={() => setOpened(opened === artifact.id ? null : artifact.id)}
            save={() => save(artifact)}
          />
        ))}
      </ul>
    </>
  );
}

function ArtifactRow(o: {
  readonly artifact: Artifact;
  readonly place: string;
  readonly isOpen: boolean;
  readonly toggle: () => void;
  readonly save: () => void;
}): ReactNode {
  const { artifact, place } = o;
  const isShowable = isPicture(artifact.media_type) || isText(artifact.media_type);
  return (
    <li>
      <span className={styles.about}>
        {isShowable ? (
          <button type="button" className={styles.file} aria-expanded={o.isOpen} onClick={o.toggle}>
            {place}
          </button>
        ) : (
          <span className={styles.file}>{place}</span>
        )}
        <span className={styles.quiet}>
          {artifact.size_bytes === 0 ? 'empty' : sizeWords(artifact.size_bytes)}, {artifact.media_type}
          {artifact.step_id !== null && `, ${artifact.step_id}`}
          {artifact.expires_at !== null && (
            <>
              , kept until <Time at={artifact.expires_at} />
            </>
          )}
        </span>
      </span>
      <span className={styles.actions}>
        {isShowable && (
          <IconButton size="small" icon={Eye} label={`Preview ${place}`} aria-expanded={o.isOpen} onClick={o.toggle} />
        )}
        <IconButton size="small" icon={Download} label={`Download ${place}`} onClick={o.save} />
      </span>
      {o.isOpen && (
        <div className={styles.preview}>
          <Preview artifact={artifact} place={place} />
        </div>
      )}
    </li>
  );
}

function isPicture(type: string): boolean {
  return pictures.includes(essenceOf(type));
}

function isText(type: string): boolean {
  return /^text\/|[/+](?:json|xml|yaml|javascript)\b/.test(type);
}

/** The media type without its parameters, such as `; charset=utf-8`. */
function essenceOf(type: string): string {
  return (type.split(';')[0] ?? '').trim().toLowerCase();
}

type Content = { readonly text: string; readonly isCut: boolean } | { readonly url: string };

type Previewed = { readonly artifact: Artifact; readonly place: string };

function Preview({ artifact, place }: Previewed): ReactNode {
  const { media_type: type, size_bytes: size } = artifact;
  if (size === 0) return <p className={styles.quiet}>The file is empty.</p>;
  if (isPicture(type) && size > mostPreviewBytes)
    return <p className={styles.quiet}>Pictures larger than {sizeWords(mostPreviewBytes)} have no preview.</p>;
  return <ReadPreview artifact={artifact} place={place} />;
}

function ReadPreview({ artifact, place }: Previewed): ReactNode {
  const client = useClient();
  const [content, setContent] = useState<Content | null>(null);
  const [error, setError] = useState<string | null>(null);
  const { id, media_type: type, size_bytes: size } = artifact;
  useEffect(() => {
    const ending = new AbortController();
    let url: string | undefined;
    const read = async (): Promise<void> => {
      const response = await client.request('getArtifact', {
        path: { artifact_id: id },
        ...(size > mostPreviewBytes && { headers: { range: `bytes=0-${mostPreviewBytes - 1}` } }),
        signal: ending.signal,
      });
      if (!isPicture(type)) {
        const text = await response.text();
        const isCut = text.length > mostPreviewText || size > mostPreviewBytes;
        setContent({ text: text.slice(0, mostPreviewText), isCut });
        return;
      }
      url = URL.createObjectURL(new Blob([await new Response(response.body).blob()], { type }));
      setContent({ url });
    };
    read().catch((error: unknown) => !ending.signal.aborted && setError(errorText(error)));
    return () => {
      ending.abort();
      if (url !== undefined) URL.revokeObjectURL(url);
    };
  }, [client, id, type, size]);
  if (error !== null) return <ErrorNote text={error} />;
  if (!content) return <Loading what="the artifact" />;
  if ('url' in content) return <img src={content.url} alt={artifact.name} />;
  return (
    <>
      <TextPreview type={essenceOf(type)} text={content.text} label={`Content of ${place}`} />
      {content.isCut && (
        <p className={styles.quiet}>
          Showing the first {countWords(content.text.length)} characters. Download the file to see the rest.
        </p>
      )}
    </>
  );
}

function TextPreview(o: { readonly type: string; readonly text: string; readonly label: string }): ReactNode {
  const { type, text, label } = o;
  if (type === 'text/markdown') {
    return (
      <Scrolls label={label} className={styles.markdown ?? ''}>
        <Markdown text={text} />
      </Scrolls>
    );
  }
  const [head, ...rows] = type === 'text/csv' ? csvRows(text, mostPreviewRows + 2) : [];
  if (!head) return <Code label={label} text={text} />;
  return (
    <Table label={label} head={head} rows={rows.slice(0, mostPreviewRows)}>
      {rows.length > mostPreviewRows && (
        <p className={styles.more}>Showing the first {mostPreviewRows} rows. Download the file to see the rest.</p>
      )}
    </Table>
  );
}

/** Matches a cell of a CSV file and what ends it. A quoted cell may contain commas, line breaks and doubled quotes. */
const cells = /(?:"((?:[^"]|"")*)"|([^,\r\n]*))(,|\r\n|\n|\r|$)/y;

/** The first rows of a CSV file; empty if the text is not CSV. */
function csvRows(text: string, most: number): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  cells.lastIndex = 0;
  while (rows.length < most) {
    // A line break at the end of the file does not start another row.
    if (cells.lastIndex === text.length && row.length === 0) break;
    const found = cells.exec(text);
    if (!found) return [];
    const [, quoted, plain = '', end] = found;
    row.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === ',') continue;
    rows.push(row);
    row = [];
    if (end === '') break;
  }
  return rows;
}
