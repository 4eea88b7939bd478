// A check box with its label. In a row of a table, only screen readers get the label.

import type { ReactNode } from 'react';
import styles from './Checkbox.module.css';

export function Checkbox({
  label,
  isLabelUnseen = false,
  checked,
  isMixed = false,
  onChange,
  disabled,
}: {
  readonly label: string;
  readonly isLabelUnseen?: boolean;
  readonly checked: boolean;
  /** Some of the items that the box stands for are checked, but not all. */
  readonly isMixed?: boolean;
  readonly onChange: (checked: boolean) => void;
  readonly disabled?: boolean;
}): ReactNode {
  return (
    <label className={styles.label}>
      <input
        type="checkbox"
        className={styles.box}
        aria-label={isLabelUnseen ? label : undefined}
        checked={checked}
        disabled={disabled ?? false}
        ref={(box) => {
          if (box) box.indeterminate = isMixed;
        }}
        onChange={(event) => onChange(event.target.checked)}
      />
      {!isLabelUnseen && <span>{label}</span>}
    </label>
  );
}
