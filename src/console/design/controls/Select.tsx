// Selects one of several choices. `Select` shows a list, and `Combobox` filters the list by the typed text.

import { Combobox as BaseCombobox } from '@base-ui/react/combobox';
import { Select as BaseSelect } from '@base-ui/react/select';
import { Check, ChevronDown } from 'lucide-react';
import type { ReactNode } from 'react';
import button from './Button.module.css';
import input from './Input.module.css';
import styles from './Popup.module.css';

type Choice<V extends string = string> = { readonly value: V; readonly label: string; readonly note?: string };

type Props<V extends string> = {
  readonly label: string;
  readonly id?: string;
  readonly choices: readonly Choice<V>[];
  readonly value: V | null;
  readonly onChange: (value: V) => void;
  readonly size?: 'small' | 'normal' | 'form';
  readonly placeholder?: string;
  readonly disabled?: boolean;
  /** The choices are still loading. */
  readonly isLoading?: boolean;
  /** The ids of the field's hint and error. */
  readonly describedBy?: string;
  readonly isWrong?: boolean;
};

export function Select<V extends string>(o: Props<V>): ReactNode {
  return (
    <BaseSelect.Root
      items={o.choices}
      value={o.value}
      disabled={o.disabled ?? false}
      onValueChange={(value) => value !== null && o.onChange(value)}
      modal={false}
    >
      <BaseSelect.Trigger
        id={o.id}
        aria-label={o.label}
        className={button.button}
        data-look="outlined"
        data-size={o.size ?? 'normal'}
      >
        <BaseSelect.Value>
          {(value: V | null) => o.choices.find((one) => one.value === value)?.label ?? o.placeholder ?? ''}
        </BaseSelect.Value>
        <ChevronDown size={14} aria-hidden="true" />
      </BaseSelect.Trigger>
      <BaseSelect.Portal>
        <BaseSelect.Positioner className={styles.positioner} sideOffset={4} alignItemWithTrigger={false}>
          <BaseSelect.Popup className={styles.popup}>
            {o.choices.map(({ value, label, note }) => (
              <BaseSelect.Item key={value} value={value} className={styles.item}>
                <span className={styles.check}>
                  <BaseSelect.ItemIndicator>
                    <Check size={14} aria-hidden="true" />
                  </BaseSelect.ItemIndicator>
                </span>
                <BaseSelect.ItemText>{label}</BaseSelect.ItemText>
                {note !== undefined && <small>{note}</small>}
              </BaseSelect.Item>
            ))}
          </BaseSelect.Popup>
        </BaseSelect.Positioner>
      </BaseSelect.Portal>
    </BaseSelect.Root>
  );
}

export function Combobox<V extends string>(o: Props<V>): ReactNode {
  const chosen = o.choices.find(({ value }) => value === o.value) ?? null;
  return (
    <BaseCombobox.Root
      items={o.choices}
      // Highlights the first match, so that Enter selects it.
      autoHighlight
      value={chosen}
      disabled={o.disabled ?? false}
      onValueChange={(choice) => choice && o.onChange(choice.value)}
      itemToStringLabel={({ label }: Choice<V>) => label}
      isItemEqualToValue={(a: Choice<V>, b: Choice<V>) => a.value === b.value}
    >
      <BaseCombobox.InputGroup className={input.box} data-size={o.size ?? 'normal'}>
        <BaseCombobox.Input
          id={o.id}
          aria-label={o.label}
          aria-describedby={o.describedBy}
          aria-invalid={o.isWrong}
          placeholder={o.placeholder}
          className={input.inner}
          onKeyDown={(event) => {
            // Without this, Esc in a closed list would clear the field instead of closing the dialog.
            if (event.key === 'Escape' && event.currentTarget.ariaExpanded !== 'true') event.preventBaseUIHandler();
            // While the choices are loading, Enter would clear what is typed.
            if (event.key === 'Enter' && o.isLoading) event.preventBaseUIHandler();
          }}
        />
        <BaseCombobox.Trigger aria-label={`Show the list: ${o.label}`} className={input.end}>
          <ChevronDown size={14} aria-hidden="true" />
        </BaseCombobox.Trigger>
      </BaseCombobox.InputGroup>
      <BaseCombobox.Portal>
        <BaseCombobox.Positioner className={styles.positioner} sideOffset={4} align="start">
          <BaseCombobox.Popup className={styles.popup}>
            <BaseCombobox.Empty className={styles.none}>
              {o.isLoading ? 'Loading…' : 'Nothing matches.'}
            </BaseCombobox.Empty>
            <BaseCombobox.List>
              {(choice: Choice<V>) => (
                <BaseCombobox.Item key={choice.value} value={choice} className={styles.item}>
                  <span className={styles.check}>
                    <BaseCombobox.ItemIndicator>
                      <Check size={14} aria-hidden="true" />
                    </BaseCombobox.ItemIndicator>
                  </span>
                  <span>{choice.label}</span>
                  {choice.note !== undefined && <small>{choice.note}</small>}
                </BaseCombobox.Item>
              )}
            </BaseCombobox.List>
          </BaseCombobox.Popup>
        </BaseCombobox.Positioner>
      </BaseCombobox.Portal>
    </BaseCombobox.Root>
  );
}
