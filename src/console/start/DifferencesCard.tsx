// What differs from the run whose arguments are in the form.

import type { ReactNode } from 'react';
import { Card } from '../design/text/Card.tsx';
import { useNow } from '../session/clock.ts';
import { dayAndTime, harmless, statusLooks } from '../words.ts';
import styles from './DifferencesCard.module.css';
import type { useStartForm } from './start-form.ts';

export function DifferencesCard({
  form: { known, differences, fields },
  revision,
}: {
  readonly form: ReturnType<typeof useStartForm>;
  readonly revision: string;
}): ReactNode {
  const now = useNow(60_000);
  const { filled } = known;
  if (filled === null || differences === null) return null;
  const names = new Set([...fields.map(({ path }) => path[0]), ...Object.keys(filled.args)]);
  const same = names.size - differences.length;
  return (
    <Card
      title="Compared with the run"
      count={`${dayAndTime(filled.createdAt, now)}, ${statusLooks[filled.status].word}`}
    >
      <ul className={styles.list}>
        {differences.map(({ name, was, is }) => (
          <li key={name}>
            {was !== null && (
              <del>
                <span aria-hidden="true">- </span>
                {harmless(`${name}: ${was}`)}
              </del>
            )}
            {is !== null && (
              <ins>
                <span aria-hidden="true">+ </span>
                {harmless(`${name}: ${is}`)}
              </ins>
            )}
          </li>
        ))}
      </ul>
      <p className={styles.rest}>
        {differences.length === 0
          ? 'All arguments are the same'
          : `${same} ${same === 1 ? 'other is' : 'others are'} the same`}
        {'. '}
        {filled.revision === revision ? 'The revision is the same:' : 'The job now has another revision:'}{' '}
        <code>{revision.slice(0, 12)}</code>
      </p>
    </Card>
  );
}
