// The errors in the files of an invalid job, with their places.

import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { WithCode } from '../widgets/Notes.tsx';
import { jobPath } from '../words.ts';
import styles from './JobErrors.module.css';
import type { InvalidJob } from './job-rows.ts';

type JobError = InvalidJob['errors'][number];

export function JobErrors({ jobId, of }: { readonly jobId: string; readonly of: readonly JobError[] }): ReactNode {
  return (
    <ul className={styles.errors}>
      {of.map((error) => (
        <li key={JSON.stringify(error)}>
          <Place jobId={jobId} of={error} /> <WithCode text={error.message} />
        </li>
      ))}
    </ul>
  );
}

/**
 * The place of an error. It is a link if it is in the job's config.yaml. Other files are not linked, because their path
 * inside the job's folder is unknown.
 */
function Place({ jobId, of: { file, line, column } }: { readonly jobId: string; readonly of: JobError }): ReactNode {
  const words = <code>{`${file}:${line}:${column}`}</code>;
  if (!/(^|\/)config\.yaml$/.test(file)) return words;
  const place = new URLSearchParams({ tab: 'code', file: 'config.yaml', line: String(line) });
  return <Link href={`${jobPath(jobId)}?${place.toString()}`}>{words}</Link>;
}
