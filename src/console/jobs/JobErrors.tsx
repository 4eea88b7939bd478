// The errors in the files of an invalid job, with their places.

import type { ReactNode } from 'react';
import { WithCode } from '../widgets/Notes.tsx';
import styles from './JobErrors.module.css';
import type { InvalidJob } from './job-rows.ts';

export function JobErrors({ of }: { readonly of: InvalidJob['errors'] }): ReactNode {
  return (
    <ul className={styles.errors}>
      {of.map((error) => (
        <li key={JSON.stringify(error)}>
          <code>
            {error.file}:{error.line}:{error.column}
          </code>{' '}
          <WithCode text={error.message} />
        </li>
      ))}
    </ul>
  );
}
