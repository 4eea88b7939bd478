// The files of a job: as they are now, as a run used them, and what differs between two revisions.

import { Download } from 'lucide-react';
import { type ReactNode, useMemo } from 'react';
import { changesOf, type JobFile as File, type JobFiles as Files } from '../../client/job-changes.ts';
import { sizeWords } from '../../lib/units.ts';
import { saveAnswer } from '../browser.ts';
import { IconButton } from '../design/controls/Button.tsx';
import { CopyButton } from '../design/controls/CopyButton.tsx';
import { Select } from '../design/controls/Select.tsx';
import { Chip } from '../design/text/Chip.tsx';
import { narrowPx, useWidth } from '../design/width.ts';
import { useNow } from '../session/clock.ts';
import { Shown } from '../widgets/Notes.tsx';
import { harmless, localTime } from '../words.ts';
import styles from './Code.module.css';
import { CodeLines } from './CodeLines.tsx';
import { type CodeAddress, type CodePlace, useCodePlace } from './code-place.ts';
import { DiffLines } from './DiffLines.tsx';
import { FileList } from './FileList.tsx';
import { useJobFile, useJobFiles } from './job-files.ts';
import { ShownFiles } from './ShownFiles.tsx';

export function JobCode({ jobId }: { readonly jobId: string }): ReactNode {
  const at = useCodePlace();
  const answer = useJobFiles(jobId, at.place.revision);
  return (
    <ShownFiles of={answer} what="files">
      {(files) => <Code jobId={jobId} files={files} at={at} />}
    </ShownFiles>
  );
}

function Code({
  jobId,
  files,
  at,
}: {
  readonly jobId: string;
  readonly files: Files;
  readonly at: CodeAddress;
}): ReactNode {
  const { place, go, hrefOf } = at;
  const against = useJobFiles(jobId, place.against, place.against !== null);
  const old = place.against === null ? null : (against.data ?? null);
  const changes = useMemo(() => old && changesOf(files, old), [files, old]);
  const paths = [...new Set([...files.files, ...(old?.files ?? [])].map(({ path }) => path))].toSorted();
  const path = place.file ?? (paths.includes('config.yaml') ? 'config.yaml' : (paths[0] ?? ''));
  const choose = (file: string): CodePlace => ({ ...place, file, line: null });
  const isNarrow = useWidth() < narrowPx;
  return (
    <section aria-label="Code of the job" className={styles.code}>
      {isNarrow ? (
        <Select
          label="File"
          choices={paths.map((one) => ({ value: one, label: harmless(one) }))}
          value={path}
          onChange={(one) => go(choose(one))}
        />
      ) : (
        <FileList paths={paths} chosen={path} changes={changes} hrefOf={(one) => hrefOf(choose(one))} />
      )}
      <div className={styles.main}>
        <Revisions files={files} place={place} go={go} />
        {place.against !== null && (
          <Shown of={against} what="the other revision">
            {(other) => <FileDiff jobId={jobId} path={path} before={other} after={files} />}
          </Shown>
        )}
        {place.against === null && <WholeFile jobId={jobId} path={path} files={files} at={at} />}
      </div>
    </section>
  );
}

/** Selects the revision to show, and the one to compare it with. */
function Revisions({
  files,
  place,
  go,
}: {
  readonly files: Files;
  readonly place: CodePlace;
  readonly go: CodeAddress['go'];
}): ReactNode {
  const now = useNow(60_000);
  const others = files.revisions.filter(({ revision }) => revision !== files.current_revision);
  const kept = others.filter((one) => one.kept);
  const choices = kept.map((one) => ({
    value: one.revision,
    label: `${one.revision.slice(0, 7)}, used ${localTime(one.used_at, now)}`,
  }));
  const current = { value: '', label: `${files.current_revision.slice(0, 7)}, now` };
  const gone = others.length - kept.length;
  return (
    <div className={styles.revisions}>
      <span className={styles.quiet}>Revision</span>
      <Select
        label="Revision"
        choices={[current, ...choices]}
        value={place.revision ?? ''}
        onChange={(revision) => go({ ...place, revision: revision || null, line: null })}
      />
      {(kept.length > 0 || place.against !== null) && (
        <Select
          label="Compare with"
          choices={[
            { value: '-', label: 'Compare with…' },
            ...[{ ...current, value: files.current_revision }, ...choices].filter(
              ({ value }) => value !== files.revision,
            ),
          ]}
          value={place.against ?? '-'}
          onChange={(revision) => go({ ...place, against: revision === '-' ? null : revision, line: null })}
        />
      )}
      {gone > 0 && (
        <span className={styles.quiet}>
          {gone} earlier {gone === 1 ? 'revision is' : 'revisions are'} no longer kept
        </span>
      )}
    </div>
  );
}

function WholeFile({
  jobId,
  path,
  files,
  at,
}: {
  readonly jobId: string;
  readonly path: string;
  readonly files: Files;
  readonly at: CodeAddress;
}): ReactNode {
  const { place, hrefOf, go } = at;
  const answer = useJobFile(jobId, path, files);
  return (
    <Shown of={answer} what="the file">
      {(file) => (
        <>
          {file && <FileHead file={file} />}
          {!file || file.text === null ? (
            <p className={styles.note}>{whyNoText(path, file)}</p>
          ) : (
            <CodeLines
              key={path}
              path={path}
              text={file.text}
              marked={place.line}
              hrefOf={(line) => hrefOf({ ...place, file: path, line })}
              choose={(line) => go({ ...place, file: path, line })}
            />
          )}
        </>
      )}
    </Shown>
  );
}

function whyNoText(path: string, file: File | null): string {
  if (!file) return `This revision has no file ${harmless(path)}.`;
  return file.omitted === 'binary'
    ? 'The file is not text, so it is not shown.'
    : 'The file is larger than 1 MiB, so it is not shown.';
}

function FileHead({ file }: { readonly file: File }): ReactNode {
  const { text } = file;
  const name = file.path.slice(file.path.lastIndexOf('/') + 1);
  return (
    <div className={styles.head}>
      <h2>{harmless(file.path)}</h2>
      <span className={styles.quiet}>{file.size_bytes === 0 ? 'empty' : sizeWords(file.size_bytes)}</span>
      {file.executable && <Chip>executable</Chip>}
      {text !== null && (
        <span className={styles.actions}>
          <CopyButton label="Copy the file" text={text} />
          <IconButton
            size="small"
            icon={Download}
            label="Download the file"
            onClick={() => void saveAnswer(Promise.resolve(new Response(text)), name)}
          />
        </span>
      )}
    </div>
  );
}

function FileDiff({
  jobId,
  path,
  before,
  after,
}: {
  readonly jobId: string;
  readonly path: string;
  readonly before: Files;
  readonly after: Files;
}): ReactNode {
  const old = useJobFile(jobId, path, before);
  const now = useJobFile(jobId, path, after);
  return (
    <>
      <div className={styles.head}>
        <h2>{harmless(path)}</h2>
        <span className={styles.quiet}>
          from {before.revision.slice(0, 7)} to {after.revision.slice(0, 7)}
        </span>
      </div>
      <Shown of={old} what="the earlier file">
        {(one) => (
          <Shown of={now} what="the file">
            {(other) => <DiffLines before={one} after={other} />}
          </Shown>
        )}
      </Shown>
    </>
  );
}
