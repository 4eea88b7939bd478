// The input for one value, depending on its kind.

import { type ClipboardEvent, type ReactNode, useState } from 'react';
import { type ArgumentField, showValue } from '../../domain/argument-fields.ts';
import { Input, TextArea } from '../design/controls/Input.tsx';
import { Segmented } from '../design/controls/Segmented.tsx';
import { Combobox } from '../design/controls/Select.tsx';
import styles from './FieldInput.module.css';
import type { LeftEmpty } from './form-texts.ts';

export type InputProps = {
  readonly id: string;
  readonly field: ArgumentField;
  readonly text: string;
  readonly label: string;
  readonly isStored?: boolean;
  readonly left: LeftEmpty | null;
  readonly describedBy: string;
  readonly isWrong: boolean;
  readonly set: (text: string) => void;
};

/** More choices become a list with a text field. */
const mostSegments = 4;
/** Long words do not fit side by side. */
const longestSegment = 16;

export function FieldInput(o: InputProps): ReactNode {
  const { field, text, set } = o;
  const kind = field.itemKind ?? field.kind;
  const fallback = field.kind === 'list' ? '' : (o.left?.shown ?? '');
  if (kind === 'boolean' || kind === 'choice') return <ChoiceInput {...o} fallback={fallback} />;
  const shared = {
    id: o.id,
    'aria-describedby': o.describedBy,
    'aria-invalid': o.isWrong,
    ...(field.kind === 'list' && { 'aria-label': o.label }),
  };
  if (kind === 'json') {
    return (
      <TextArea
        {...shared}
        isMono
        rows={3}
        spellCheck={false}
        placeholder={fallback === '' ? 'JSON' : fallback}
        value={text}
        onChange={(event) => set(event.target.value)}
      />
    );
  }
  return (
    <LineInput
      shared={shared}
      text={text}
      set={set}
      look={lookOf(kind, field.format, text)}
      isLong={field.isLong}
      isHidden={kind === 'secret' && !o.isStored}
      placeholder={o.isStored ? 'name' : kind === 'secret' && o.left ? o.left.why : fallback}
    />
  );
}

/**
 * The input for a choice. A few choices are selected with a click, and many are filtered by typing. An empty field
 * stands for the default.
 */
function ChoiceInput(o: InputProps & { readonly fallback: string }): ReactNode {
  const { field, text, set, left, fallback, label } = o;
  const kind = field.itemKind ?? field.kind;
  const choices = kind === 'boolean' ? ['true', 'false'] : field.choices.map(showValue);
  // The value of an earlier run may no longer be a choice. The form shows it, and the server refuses it.
  const all = text === '' || choices.includes(text) ? choices : [...choices, text];
  const given = left === null ? null : { value: '', label: `${fallback} (${left.why})` };
  const about = { id: o.id, describedBy: o.describedBy, isWrong: o.isWrong };
  const isShort = all.length <= mostSegments && all.every((choice) => choice.length <= longestSegment);
  if (!isShort || all.includes('')) {
    return (
      <Combobox
        {...about}
        label={label}
        size="form"
        placeholder={fallback === '' ? 'Choose' : `${fallback} (${left?.why ?? ''})`}
        value={text === '' && given === null ? null : text}
        onChange={set}
        choices={[
          ...(given ? [given] : []),
          ...(given === null && !field.isRequired ? [{ value: '', label: '–' }] : []),
          ...all.filter((choice) => choice !== '').map((choice) => ({ value: choice, label: choice })),
        ]}
      />
    );
  }
  const isOptional = !field.isRequired && left === null;
  return (
    <Segmented
      {...about}
      label={label}
      size="form"
      value={text === '' && left !== null ? fallback : text}
      onChange={set}
      choices={[
        ...(isOptional ? [{ value: '', label: '–' }] : []),
        ...all.map((choice) => ({ value: choice, label: choice })),
      ]}
    />
  );
}

type Look = { readonly type: string; readonly inputMode?: 'decimal' };

/**
 * Uses the browser's own input if its values have the form that the schema wants. An input for times is not used,
 * because its values have no zone. Text that is not a date stays in a text input, because a date input would not show
 * it.
 */
function lookOf(kind: string, format: string | null, text: string): Look {
  if (kind === 'integer' || kind === 'number') return { type: 'text', inputMode: 'decimal' };
  if (kind !== 'text') return { type: 'text' };
  if (format === 'date' && (text === '' || /^\d{4}-\d\d-\d\d$/.test(text))) return { type: 'date' };
  return { type: format === 'email' ? 'email' : format === 'uri' ? 'url' : 'text' };
}

/** An input of one line. It becomes a textarea when the text has a line break, which an `<input>` would remove. */
export function LineInput(o: {
  readonly shared: Readonly<Record<string, unknown>> & { readonly id: string };
  readonly text: string;
  readonly set: (text: string) => void;
  readonly look: Look;
  readonly isLong: boolean;
  readonly isHidden: boolean;
  readonly placeholder: string;
}): ReactNode {
  const { shared, text, set, placeholder } = o;
  const [hadLines, setHadLines] = useState(false);
  const hasLines = o.isLong || hadLines || /\n/.test(text + placeholder);
  // It stays a textarea when the line breaks are removed, because a replacement would lose the focus.
  if (hasLines && !hadLines) setHadLines(true);
  if (hasLines) {
    return (
      <span className={o.isHidden ? styles.hidden : undefined}>
        <TextArea
          {...shared}
          rows={Math.min(12, Math.max(o.isLong ? 4 : 2, text.split('\n').length + 1))}
          autoComplete="off"
          spellCheck={false}
          placeholder={placeholder}
          value={text}
          onChange={(event) => set(event.target.value)}
        />
      </span>
    );
  }
  const paste = (event: ClipboardEvent<HTMLInputElement>): void => {
    const pasted = event.clipboardData.getData('text').replaceAll(/\r\n?/g, '\n');
    if (!/\n./.test(pasted)) return;
    event.preventDefault();
    const { selectionStart, selectionEnd } = event.currentTarget;
    set(text.slice(0, selectionStart ?? text.length) + pasted + text.slice(selectionEnd ?? text.length));
    requestAnimationFrame(() => document.getElementById(shared.id)?.focus());
  };
  return (
    <Input
      {...shared}
      {...(o.isHidden ? { type: 'password', autoComplete: 'new-password' } : o.look)}
      isMono={!o.isHidden}
      spellCheck={false}
      placeholder={placeholder}
      value={text}
      onPaste={paste}
      onChange={(event) => set(event.target.value)}
    />
  );
}
