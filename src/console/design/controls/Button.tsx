// Buttons, and links that look like buttons. A view has at most one `primary` button. A `quiet` button has no border
// until the pointer is over it. A `danger` button is filled only in the dialog that asks for confirmation.

import type { ComponentProps, ReactNode } from 'react';
import { Link } from 'wouter';
import type { Icon } from '../text/icons.tsx';
import styles from './Button.module.css';
import { Tooltip } from './Tooltip.tsx';

type Look = 'primary' | 'outlined' | 'quiet' | 'danger' | 'danger-filled';
type Size = 'small' | 'normal' | 'form';
type Looks = {
  readonly look?: Look;
  readonly size?: Size;
  readonly icon?: Icon;
};

export function Button({
  look = 'outlined',
  size = 'normal',
  icon: Icon,
  children,
  ...rest
}: Looks & ComponentProps<'button'>): ReactNode {
  return (
    <button type="button" {...rest} className={styles.button} data-look={look} data-size={size}>
      {Icon && <Icon size={14} strokeWidth={2.2} aria-hidden="true" />}
      {children}
    </button>
  );
}

export function ButtonLink({
  look = 'outlined',
  size = 'normal',
  icon: Icon,
  href,
  children,
}: Looks & { readonly href: string; readonly children: ReactNode }): ReactNode {
  return (
    <Link href={href} className={styles.button} data-look={look} data-size={size}>
      {Icon && <Icon size={14} strokeWidth={2.2} aria-hidden="true" />}
      {children}
    </Link>
  );
}

/** A button that shows only an icon. Its label is its name for screen readers, and its tooltip. */
export function IconButton({
  icon: Icon,
  label,
  keys,
  look = 'quiet',
  size = 'normal',
  ...rest
}: Looks & {
  readonly icon: Icon;
  readonly label: string;
  readonly keys?: string;
} & ComponentProps<'button'>): ReactNode {
  return (
    <Tooltip text={label} {...(keys !== undefined && { keys })}>
      <button
        type="button"
        {...rest}
        aria-label={label}
        className={`${styles.button} ${styles.square}`}
        data-look={look}
        data-size={size}
      >
        <Icon size={size === 'small' ? 14 : 16} aria-hidden="true" />
      </button>
    </Tooltip>
  );
}

/** Groups buttons that belong together, such as a button and the menu of its variants. */
export function ButtonGroup({ label, children }: { readonly label: string; readonly children: ReactNode }): ReactNode {
  return (
    <fieldset aria-label={label} className={styles.group}>
      {children}
    </fieldset>
  );
}
