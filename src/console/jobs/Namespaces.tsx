// The column beside the list of jobs. It selects which jobs are shown, and says how many jobs of each namespace fail.

import { Boxes, CircleX, FileWarning, Folder, type LucideIcon, Star } from 'lucide-react';
import { type ReactNode, useMemo } from 'react';
import { Pending } from '../design/text/Pending.tsx';
import { StatusIcon } from '../design/text/Status.tsx';
import { harmless } from '../words.ts';
import { type Filter, isFailing, isInView, type JobRow, needsNumbers, type View } from './job-rows.ts';
import styles from './Namespaces.module.css';

const entries: readonly (readonly [View, string, LucideIcon])[] = [
  ['all', 'All jobs', Boxes],
  ['favourites', 'Favourites', Star],
  ['failing', 'Failing', CircleX],
  ['invalid', 'Invalid', FileWarning],
];

export function Namespaces({
  rows,
  filter,
  change,
  isLoading,
}: {
  readonly rows: readonly JobRow[];
  readonly filter: Filter;
  readonly change: (changes: Readonly<Record<string, string>>) => void;
  /** The last runs are still loading, so it is not known which jobs fail. */
  readonly isLoading: boolean;
}): ReactNode {
  const counts = useMemo(
    () => new Map(entries.map(([view]) => [view, rows.filter((row) => isInView(row, view)).length])),
    [rows],
  );
  const namespaces = useMemo(() => namespacesOf(rows), [rows]);
  return (
    <nav aria-label="Jobs to show" className={styles.column}>
      <ul>
        {entries.map(([view, name, Icon]) => (
          <li key={view}>
            <Entry
              icon={<Icon size={14} strokeWidth={2.2} aria-hidden="true" />}
              name={name}
              count={isLoading && needsNumbers(view) ? null : (counts.get(view) ?? 0)}
              isChosen={filter.view === view && filter.namespace === ''}
              choose={() => change({ show: view === 'all' ? '' : view, namespace: '' })}
            />
          </li>
        ))}
      </ul>
      {namespaces.length > 0 && (
        <>
          <h2 className={styles.head}>Namespaces</h2>
          <ul>
            {namespaces.map(({ name, count, failing }) => (
              <li key={name}>
                <Entry
                  icon={<Folder size={14} strokeWidth={2.2} aria-hidden="true" />}
                  name={harmless(name)}
                  count={count}
                  failing={failing}
                  isChosen={filter.namespace === name}
                  choose={() => change({ namespace: filter.namespace === name ? '' : name })}
                />
              </li>
            ))}
          </ul>
        </>
      )}
    </nav>
  );
}

function Entry(o: {
  readonly icon: ReactNode;
  readonly name: string;
  /** null: it is not known yet. */
  readonly count: number | null;
  readonly failing?: number;
  readonly isChosen: boolean;
  readonly choose: () => void;
}): ReactNode {
  const { failing = 0 } = o;
  return (
    <button type="button" className={styles.entry} aria-pressed={o.isChosen} onClick={o.choose}>
      {o.icon}
      <span className={styles.name}>{o.name}</span>
      {failing > 0 && (
        <span className={styles.failing}>
          <StatusIcon of="failed" size={12} /> {failing}
        </span>
      )}
      <span className={styles.count}>{o.count ?? <Pending />}</span>
    </button>
  );
}

type Namespace = { readonly name: string; readonly count: number; readonly failing: number };

function namespacesOf(rows: readonly JobRow[]): readonly Namespace[] {
  const byName = Map.groupBy(
    rows.filter(({ namespace }) => namespace !== ''),
    ({ namespace }) => namespace,
  );
  return [...byName]
    .map(([name, own]) => ({ name, count: own.length, failing: own.filter(isFailing).length }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}
