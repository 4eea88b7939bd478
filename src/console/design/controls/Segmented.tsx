// Chooses one of at most five short words.

import { Toggle } from '@base-ui/react/toggle';
import { ToggleGroup } from '@base-ui/react/toggle-group';
import type { ReactNode } from 'react';
import styles from './Segmented.module.css';

export function Segmented<V extends string>({
  label,
  choices,
  value,
  onChange,
  size = 'normal',
}: {
  readonly label: string;
  readonly choices: readonly { readonly value: V; readonly label: ReactNode }[];
  readonly value: V;
  readonly onChange: (value: V) => void;
  readonly size?: 'small' | 'normal';
}): ReactNode {
  return (
    <ToggleGroup
      aria-label={label}
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
          {one.label}
        </Toggle>
      ))}
    </ToggleGroup>
  );
}
