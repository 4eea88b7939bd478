// Fields for text, and the label, hint and error around a field.

import { Search } from 'lucide-react';
import { type ComponentProps, type ReactNode, useId } from 'react';
import { Kbd } from '../text/Kbd.tsx';
import styles from './Input.module.css';

export function Input({ isMono = false, ...rest }: { readonly isMono?: boolean } & ComponentProps<'input'>): ReactNode {
  return <input type="text" autoComplete="off" {...rest} className={styles.input} data-mono={isMono || undefined} />;
}

export function TextArea({
  isMono = false,
  ...rest
}: { readonly isMono?: boolean } & ComponentProps<'textarea'>): ReactNode {
  return <textarea {...rest} className={`${styles.input} ${styles.area}`} data-mono={isMono || undefined} />;
}

/** The search field of a page. The key `/` focuses it. */
export function SearchField({
  label,
  value,
  onChange,
  hasKey = true,
  ...rest
}: {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly hasKey?: boolean;
} & Omit<ComponentProps<'input'>, 'onChange' | 'value'>): ReactNode {
  return (
    <search className={styles.box}>
      <Search size={14} strokeWidth={2.2} aria-hidden="true" className={styles.start} />
      <input
        {...rest}
        type="search"
        aria-label={label}
        placeholder={rest.placeholder ?? label}
        spellCheck={false}
        autoComplete="off"
        className={styles.inner}
        value={value}
        onChange={(event) => onChange(event.target.value)}
      />
      {hasKey && value === '' && <Kbd>/</Kbd>}
    </search>
  );
}

/**
 * Puts a label above a field, and a hint and an error below the field. The child passes the given attributes to its
 * control.
 */
export function Field({
  label,
  hint,
  error,
  isRequired = false,
  children,
}: {
  readonly label: ReactNode;
  readonly hint?: ReactNode;
  readonly error?: string | null;
  readonly isRequired?: boolean;
  readonly children: (attributes: {
    readonly id: string;
    readonly 'aria-describedby': string;
    readonly 'aria-invalid': boolean;
  }) => ReactNode;
}): ReactNode {
  const id = useId();
  const isWrong = error !== undefined && error !== null && error !== '';
  return (
    <div className={styles.field}>
      <label htmlFor={id}>
        {label}
        {isRequired && <span className={styles.required}> required</span>}
      </label>
      {children({ id, 'aria-describedby': `${id}-notes`, 'aria-invalid': isWrong })}
      <div id={`${id}-notes`} className={styles.notes}>
        {hint !== undefined && <p>{hint}</p>}
        {isWrong && <p className={styles.error}>{error}</p>}
      </div>
    </div>
  );
}
