// Tabs above a panel. The caller stores which tab is selected, because a page has its tab in the URL.

import { Tabs as Base } from '@base-ui/react/tabs';
import { type ReactNode, useEffect, useRef } from 'react';
import { scrollAcross } from '../scroll-across.ts';
import styles from './Tabs.module.css';

export type Tab<V extends string> = { readonly value: V; readonly label: string; readonly count?: number | undefined };

export function Tabs<V extends string>({
  label,
  tabs,
  value,
  onChange,
  end,
  className,
  children,
}: {
  readonly label: string;
  readonly tabs: readonly Tab<V>[];
  readonly value: V;
  readonly onChange: (value: V) => void;
  /** Shown at the right end of the row of tabs. */
  readonly end?: ReactNode;
  readonly className?: string | undefined;
  /** The panel of the chosen tab. */
  readonly children: ReactNode;
}): ReactNode {
  const row = useRef<HTMLDivElement>(null);
  // A count that arrives later widens its tab, so the row is scrolled again.
  const counts = tabs.map(({ count = 0 }) => count).join();
  useEffect(() => scrollAcross(row.current, row.current?.querySelector('[aria-selected="true"]')), [value, counts]);
  return (
    <Base.Root
      value={value}
      onValueChange={(next) => {
        const chosen = tabs.find((tab) => tab.value === next);
        if (chosen) onChange(chosen.value);
      }}
      className={className}
    >
      <div className={styles.bar}>
        <Base.List ref={row} className={styles.list} aria-label={label} activateOnFocus>
          {tabs.map((tab) => (
            <Base.Tab key={tab.value} value={tab.value} className={styles.tab}>
              {tab.label}{' '}
              {tab.count !== undefined && tab.count > 0 && <span className={styles.count}>{tab.count}</span>}
            </Base.Tab>
          ))}
        </Base.List>
        {end}
      </div>
      <Base.Panel value={value} className={styles.panel} tabIndex={-1}>
        {children}
      </Base.Panel>
    </Base.Root>
  );
}
