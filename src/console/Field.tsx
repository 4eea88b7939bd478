// One field of a job's form: an input of its kind, what it is for, and what is wrong with it.

import { type ClipboardEvent, type ReactNode, useState } from 'react';
import { type ArgumentField, showValue } from '../domain/argument-fields.ts';
import type { FieldTexts } from './form-texts.ts';

type FieldProps = {
  readonly id: string;
  readonly field: ArgumentField;
  readonly filled: FieldTexts;
  readonly fault: string | undefined;
  readonly change: (filled: FieldTexts) => void;
};

function Name({ field }: { readonly field: ArgumentField }): ReactNode {
  return (
    <>
      {field.title ?? field.path.at(-1)}
      {field.isRequired && <span className="required"> required</span>}
      {field.title !== null && <code className="quiet"> {field.path.join('.')}</code>}
    </>
  );
}

type InputProps = {
  readonly id: string;
  readonly field: ArgumentField;
  readonly text: string;
  readonly label?: string;
  readonly isStored?: boolean;
  readonly describedBy: string;
  readonly isWrong: boolean;
  readonly set: (text: string) => void;
};

export function Field({ id, field, filled, fault, change }: FieldProps): ReactNode {
  const { kind } = field;
  const isSecret = kind === 'secret';
  const text = filled.texts[0] ?? '';
  const hints = [...field.constraints, ...field.examples.slice(0, 3).map((one) => `e.g. ${showValue(one)}`)];
  const shared = {
    field,
    describedBy: `${id}-about ${id}-fault`,
    isWrong: fault !== undefined,
  };
  return (
    <div className={fault === undefined ? 'field' : 'field field-wrong'}>
      {kind === 'list' ? (
        <span className="label" id={`${id}-name`}>
          <Name field={field} />
        </span>
      ) : (
        <label className="label" htmlFor={id}>
          <Name field={field} />
        </label>
      )}
      {kind === 'list' ? (
        <ListInput id={id} shared={shared} filled={filled} change={change} />
      ) : (
        <Input
          {...shared}
          id={id}
          text={text}
          isStored={filled.isStored}
          set={(next) => change({ ...filled, texts: next === '' ? [] : [next] })}
        />
      )}
      {isSecret && (
        <label className="check">
          <input
            type="checkbox"
            checked={filled.isStored}
            onChange={(event) => change({ texts: [], isStored: event.target.checked })}
          />{' '}
          the name of a stored secret
        </label>
      )}
      <p className="hint" id={`${id}-about`}>
        {[field.description, hints.join(', ')].filter(Boolean).join(' – ')}
      </p>
      <p className="fault" id={`${id}-fault`}>
        {fault}
      </p>
    </div>
  );
}

function Input(o: InputProps): ReactNode {
  const { field, text, set } = o;
  const kind = field.itemKind ?? field.kind;
  const fallback = field.kind === 'list' || field.defaultValue === undefined ? '' : showValue(field.defaultValue);
  const shared = {
    id: o.id,
    'aria-describedby': o.describedBy,
    'aria-invalid': o.isWrong,
    ...(o.label !== undefined && { 'aria-label': o.label }),
  };
  if (kind === 'boolean' || kind === 'choice') {
    const choices = kind === 'boolean' ? ['true', 'false'] : field.choices.map(showValue);
    return (
      <select {...shared} value={text} onChange={(event) => set(event.target.value)}>
        <option value="">{fallback === '' ? '–' : `${fallback} (default)`}</option>
        {choices.map((choice) => (
          <option key={choice} value={choice}>
            {choice === '' ? '(empty)' : choice}
          </option>
        ))}
      </select>
    );
  }
  if (kind === 'json') {
    return (
      <textarea
        {...shared}
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
      isNumber={kind === 'integer' || kind === 'number'}
      isHidden={kind === 'secret' && !o.isStored}
      placeholder={o.isStored ? 'its name' : fallback}
    />
  );
}

/** A line; several, once there is a line break in it, which an `<input>` would take out of the text. */
function LineInput(o: {
  readonly shared: Readonly<Record<string, unknown>> & { readonly id: string };
  readonly text: string;
  readonly set: (text: string) => void;
  readonly isNumber: boolean;
  readonly isHidden: boolean;
  readonly placeholder: string;
}): ReactNode {
  const { shared, text, set, placeholder } = o;
  const [hadLines, setHadLines] = useState(false);
  const hasLines = hadLines || /\n/.test(text + placeholder);
  // It stays as large when they are taken out again: who types in it would lose it.
  if (hasLines && !hadLines) setHadLines(true);
  if (hasLines) {
    return (
      <textarea
        {...shared}
        className={o.isHidden ? 'hidden-text' : ''}
        rows={Math.min(12, text.split('\n').length + 1)}
        autoComplete="off"
        spellCheck={false}
        placeholder={placeholder}
        value={text}
        onChange={(event) => set(event.target.value)}
      />
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
    <input
      {...shared}
      type={o.isHidden ? 'password' : 'text'}
      inputMode={o.isNumber ? 'decimal' : 'text'}
      autoComplete="off"
      spellCheck={false}
      placeholder={placeholder}
      value={text}
      onPaste={paste}
      onChange={(event) => set(event.target.value)}
    />
  );
}

function ListInput(o: {
  readonly id: string;
  readonly shared: Pick<InputProps, 'field' | 'describedBy' | 'isWrong'>;
  readonly filled: FieldTexts;
  readonly change: (filled: FieldTexts) => void;
}): ReactNode {
  const { texts } = o.filled;
  const name = o.shared.field.title ?? o.shared.field.path.join('.');
  const set = (next: readonly string[]): void => o.change({ ...o.filled, texts: next });
  const fallback = o.shared.field.defaultValue;
  return (
    <fieldset className="list" aria-labelledby={`${o.id}-name`}>
      {texts.map((text, index) => (
        <div className="row" key={index}>
          <Input
            {...o.shared}
            id={index === 0 ? o.id : `${o.id}-${index}`}
            label={`${name}, item ${index + 1}`}
            text={text}
            set={(next) => set(texts.with(index, next))}
          />
          <button
            type="button"
            aria-label={`Remove item ${index + 1} of ${name}`}
            onClick={() => set(texts.toSpliced(index, 1))}
          >
            ✕
          </button>
        </div>
      ))}
      <button type="button" {...(texts.length === 0 && { id: o.id })} onClick={() => set([...texts, ''])}>
        Add to {name}
      </button>
      {texts.length === 0 && fallback !== undefined && <span className="quiet"> default {showValue(fallback)}</span>}
    </fieldset>
  );
}
