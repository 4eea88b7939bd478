// Chooses one of at most five short words.

import { Toggle } from '@base-ui/react/toggle';
import { ToggleGroup } from '@base-ui/react/toggle-group';
import { Check } from 'lucide-react';
import type { ReactNode } from 'react';
import styles from './Segmented.module.css';

export function Segmented<V extends string>({
  label,
  choices,
  value,
  onChange,
  size = 'normal',
  id,
  describedBy,
}: {
  readonly label: string;
  readonly choices: readonly { readonly value: V; readonly label: ReactNode }[];
  readonly value: V;
  readonly onChange: (value: V) => void;
  /** In a form the segments fill the width. */
  readonly size?: 'small' | 'normal' | 'form';
  readonly id?: string;
  /** The ids of the field's hint and error. */
  readonly describedBy?: string;
}): ReactNode {
  return (
    <ToggleGroup
      aria-label={label}
      {...(id !== undefined && { id })}
      {...(describedBy !== undefined && { 'aria-describedby': describedBy })}
      className={styles.segments}
      data-size={size}
      value={[value]}
      onValueChange={([next]) => {
        const chosen = choices.find((one) => one.value === next);
        if (chosen) onChange(chosen.value);
      }}
    >
      {choices.map((one) => (
        <Toggle key={one.value} value={one.value} className={styles.segment}>
          {size === 'form' && one.value === value && <Check size={14} strokeWidth={2.2} aria-hidden="true" />}
          {one.label}
        </Toggle>
      ))}
    </ToggleGroup>
  );
}
