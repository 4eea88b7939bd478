// Marks a job as a favourite.

import { memo, type ReactNode } from 'react';
import { Star as Icon } from '../design/text/icons.tsx';
import { harmless } from '../words.ts';
import { useFavourites } from './favourites.ts';
import styles from './Star.module.css';

export const Star = memo(function Star({ jobId }: { readonly jobId: string }): ReactNode {
  const { has, toggle } = useFavourites();
  return (
    <button
      type="button"
      className={styles.star}
      aria-label={`Favourite: ${harmless(jobId)}`}
      aria-pressed={has(jobId)}
      onClick={() => toggle(jobId)}
    >
      <Icon size={14} />
    </button>
  );
});
