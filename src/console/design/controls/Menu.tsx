// A button that opens a list of actions or links.

import { Menu as Base } from '@base-ui/react/menu';
import type { LucideIcon } from 'lucide-react';
import type { ReactElement, ReactNode } from 'react';
import { Link } from 'wouter';
import styles from './Popup.module.css';

export type MenuEntry =
  | 'rule'
  | {
      readonly label: string;
      readonly icon?: LucideIcon;
      /** Shown beside the label, in a quieter colour. */
      readonly note?: string;
      readonly isDanger?: boolean;
      readonly isDisabled?: boolean;
      /** An entry has either `href` or `act`. */
      readonly href?: string;
      readonly act?: () => void;
    };

export function Menu({
  trigger,
  entries,
  align = 'end',
}: {
  /** A button with a name. */
  readonly trigger: ReactElement;
  readonly entries: readonly MenuEntry[];
  readonly align?: 'start' | 'end';
}): ReactNode {
  return (
    <Base.Root modal={false}>
      <Base.Trigger render={trigger} />
      <Base.Portal>
        <Base.Positioner className={styles.positioner} sideOffset={4} align={align}>
          <Base.Popup className={styles.popup}>
            {entries.map((entry, index) =>
              entry === 'rule' ? (
                <Base.Separator key={index} className={styles.rule} />
              ) : (
                <Base.Item
                  key={entry.label}
                  className={styles.item}
                  disabled={entry.isDisabled ?? false}
                  data-danger={entry.isDanger || undefined}
                  onClick={entry.act}
                  {...(entry.href !== undefined && { render: <Link href={entry.href} />, nativeButton: false })}
                >
                  {entry.icon && <entry.icon size={14} strokeWidth={2.2} aria-hidden="true" />}
                  <span>{entry.label}</span>
                  {entry.note !== undefined && <small>{entry.note}</small>}
                </Base.Item>
              ),
            )}
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}
