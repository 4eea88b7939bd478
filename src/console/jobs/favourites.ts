// The jobs that a user has starred, kept in this browser.

import { useMemo } from 'react';
import { usePreference } from '../design/preferences.ts';

export function useFavourites(): {
  readonly jobIds: readonly string[];
  readonly has: (jobId: string) => boolean;
  readonly toggle: (jobId: string) => void;
} {
  const [kept, keep] = usePreference('favourites');
  return useMemo(() => {
    // The ids are separated by spaces, which no job id contains.
    const jobIds = kept === null || kept === '' ? [] : kept.split(' ');
    return {
      jobIds,
      has: (jobId) => jobIds.includes(jobId),
      toggle(jobId) {
        const others = jobIds.filter((id) => id !== jobId);
        keep((others.length === jobIds.length ? [...jobIds, jobId] : others).join(' '));
      },
    };
  }, [kept, keep]);
}
