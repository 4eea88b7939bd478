// The fields of a job's arguments, nested as in its schema. Each shows its description, its input and its error.

import { type ReactNode, useEffect, useEffectEvent, useState } from 'react';
import { type ArgumentField, showValue } from '../../domain/argument-fields.ts';
import { type ArgumentError, errorsOfItem, placeErrors } from '../../domain/filled-fields.ts';
import type { JsonObject } from '../../domain/job.ts';
import { useAnswer } from '../session/answers.tsx';
import { FieldInput, type InputProps } from './FieldInput.tsx';
import {
  besideFields,
  type FieldTexts,
  isSecret,
  itemText,
  itemTexts,
  type LeftEmpty,
  leftEmpty,
  noTexts,
  readTexts,
} from './form-texts.ts';

type Entry = { readonly field: ArgumentField; readonly index: number };

type Shared = {
  readonly id: string;
  readonly filled: readonly FieldTexts[];
  /** The arguments that the fields amount to. */
  readonly args: JsonObject;
  /** The arguments of the run that is rerun. */
  readonly before: JsonObject | null;
  /** The errors to show, by field: those of fields that the user has touched. */
  readonly fieldErrors: ReadonlyMap<number, string>;
  /** All errors that the server reports. */
  readonly errors: readonly ArgumentError[];
  /** The user has tried to start the job, so all errors are shown. */
  readonly isTried: boolean;
  readonly change: (index: number, filled: FieldTexts) => void;
};

export function ArgumentsForm(o: Shared & { readonly fields: readonly ArgumentField[] }): ReactNode {
  if (o.fields.length === 0) return <p className="quiet">The job takes no arguments.</p>;
  return <Members entries={o.fields.map((field, index) => ({ field, index }))} depth={0} shared={o} />;
}

/** Fields of the same object form a group with its name. */
function Members(o: {
  readonly entries: readonly Entry[];
  readonly depth: number;
  readonly shared: Shared;
}): ReactNode {
  const { entries, depth, shared } = o;
  const names = [...new Set(entries.map(({ field }) => field.path[depth] ?? ''))];
  return names.map((name) => {
    const below = entries.filter(({ field }) => field.path[depth] === name);
    const [first] = below;
    if (first && first.field.path.length === depth + 1) {
      const { field, index } = first;
      return (
        <Field
          key={name}
          id={`${shared.id}-${index}`}
          field={field}
          filled={shared.filled[index] ?? noTexts}
          left={leftEmpty(field, shared.args, shared.before)}
          error={shared.fieldErrors.get(index)}
          errors={shared.errors}
          isTried={shared.isTried}
          change={(filled) => shared.change(index, filled)}
        />
      );
    }
    return (
      <fieldset key={name}>
        <legend>{name}</legend>
        <Members entries={below} depth={depth + 1} shared={shared} />
      </fieldset>
    );
  });
}

type FieldProps = Pick<Shared, 'errors' | 'isTried'> & {
  readonly id: string;
  readonly field: ArgumentField;
  readonly filled: FieldTexts;
  readonly left: LeftEmpty | null;
  readonly error: string | undefined;
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

function Field(o: FieldProps): ReactNode {
  const { id, field, filled, left, change } = o;
  const { kind } = field;
  // An error inside an item is shown there.
  const isInside = filled.texts.some((_, index) => errorsOfItem(o.errors, field.path, index).length > 0);
  const error = field.itemFields.length > 0 && isInside ? undefined : o.error;
  const shared = { field, left, describedBy: `${id}-about ${id}-fault`, isWrong: error !== undefined };
  const namesId = `${id}-names`;
  /** The secret that was typed before "use a stored secret" was ticked. */
  const [typed, setTyped] = useState<FieldTexts['texts']>([]);
  const tick = (isStored: boolean): void => {
    // A typed secret must not be shown or sent as a name, because the server repeats names in its errors.
    if (isStored) setTyped(filled.texts);
    change({ texts: isStored ? [] : typed, isStored });
  };
  const found = (names: readonly string[]): void => {
    if (filled.texts.length === 0 && typed.some((text) => names.includes(text))) change({ ...filled, texts: typed });
  };
  return (
    <div className={error === undefined ? 'field' : 'field field-wrong'}>
      {kind === 'list' ? (
        <span className="label" id={`${id}-name`}>
          <Name field={field} />
        </span>
      ) : (
        <label className="label" htmlFor={id}>
          <Name field={field} />
        </label>
      )}
      {field.alternatives.length > 0 && <p className="hint">One of: {field.alternatives.join('; ')}</p>}
      {kind === 'list' ? (
        <ListInput {...o} shared={shared} />
      ) : (
        <FieldInput
          {...shared}
          id={id}
          text={filled.texts[0] ?? ''}
          isStored={filled.isStored}
          {...(filled.isStored && { list: namesId })}
          set={(next) => change({ ...filled, texts: next === '' ? [] : [next] })}
        />
      )}
      {filled.isStored && <StoredNames id={namesId} found={found} />}
      {kind === 'secret' && (
        <label className="check">
          <input type="checkbox" checked={filled.isStored} onChange={(event) => tick(event.target.checked)} /> use a
          stored secret
        </label>
      )}
      <p className="hint" id={`${id}-about`}>
        {[field.description, hintsOf(field, left).join(', ')].filter(Boolean).join(' – ')}
      </p>
      <p className="fault" id={`${id}-fault`}>
        {error}
      </p>
    </div>
  );
}

/** Examples for formats that browsers have no input for. */
const timeExamples: Readonly<Record<string, string>> = { 'date-time': '2026-01-31T09:30:00Z', time: '09:30:00Z' };

function hintsOf(field: ArgumentField, left: LeftEmpty | null): string[] {
  const { defaultValue, format, examples, path } = field;
  const given = timeExamples[format ?? ''];
  const shown = examples.length === 0 && given !== undefined ? [given] : examples.slice(0, 3).map(showValue);
  return [
    ...field.constraints,
    ...(defaultValue !== undefined && left === null
      ? [`${showValue(defaultValue)} if ${path.slice(0, -1).join('.')} is given without it`]
      : []),
    ...(format === 'date' && left ? [`${left.shown} ${left.why === 'default' ? 'by default' : left.why}`] : []),
    ...(shown.length > 0 ? [`e.g. ${shown.join(', ')}`] : []),
  ];
}

/** Suggests the names of stored secrets, if the caller may list them. */
function StoredNames(o: { readonly id: string; readonly found: (names: readonly string[]) => void }): ReactNode {
  // Without the list, the user types the name.
  const { data } = useAnswer(['secrets'], (client, signal) => client.call('listSecrets', { signal }));
  const found = useEffectEvent(o.found);
  useEffect(() => {
    if (data) found(data.secrets.map(({ name }) => name));
  }, [data]);
  return (
    <datalist id={o.id}>
      {data?.secrets.map(({ name }) => (
        <option key={name} value={name} />
      ))}
    </datalist>
  );
}

/** A longer list of choices is faster to type than to search for a checkbox. */
const mostChecks = 30;

type ListProps = FieldProps & {
  readonly shared: Pick<InputProps, 'field' | 'left' | 'describedBy' | 'isWrong'>;
};

function ListInput(o: ListProps): ReactNode {
  const { field, filled, left } = o;
  const { texts } = filled;
  const name = field.title ?? field.path.join('.');
  const set = (next: readonly string[]): void => o.change({ ...filled, texts: next });
  const leftWords = texts.length === 0 && left !== null && !isSecret(field) && (
    <span className="quiet">
      {' '}
      {left.why} {left.shown}
    </span>
  );
  if (field.isUnique && field.itemKind === 'choice' && field.choices.length <= mostChecks) {
    const choices = field.choices.map(showValue);
    const strange = texts.filter((text) => !choices.includes(text));
    return (
      <fieldset className="list" aria-labelledby={`${o.id}-name`} aria-describedby={o.shared.describedBy}>
        {[...choices, ...strange].map((choice, index) => (
          <label key={choice} className="check">
            <input
              type="checkbox"
              {...(index === 0 && { id: o.id })}
              checked={texts.includes(choice)}
              onChange={({ target }) =>
                set([...choices, ...strange].filter((one) => (one === choice ? target.checked : texts.includes(one))))
              }
            />{' '}
            {choice === '' ? '(empty)' : choice}
          </label>
        ))}
        {leftWords}
      </fieldset>
    );
  }
  return (
    <fieldset className="list" aria-labelledby={`${o.id}-name`}>
      {texts.map((text, index) => (
        <div className="row" key={index}>
          <Item
            {...o}
            name={`${name}, item ${index + 1}`}
            index={index}
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
      <button
        type="button"
        {...(texts.length === 0 && { id: o.id })}
        onClick={() => set([...texts, field.itemFields.length > 0 ? '{}' : ''])}
      >
        Add to {name}
      </button>
      {leftWords}
    </fieldset>
  );
}

type ItemProps = ListProps & {
  readonly name: string;
  readonly index: number;
  readonly text: string;
  readonly set: (text: string) => void;
};

function Item(o: ItemProps): ReactNode {
  const { field, text, set, index } = o;
  const { itemFields } = field;
  const [held, setHeld] = useState(() => ({ text, filled: itemTexts(itemFields, text) }));
  const [touched, setTouched] = useState<ReadonlySet<number>>(new Set());
  // The text was changed elsewhere: another item was removed, or the arguments of an earlier run were filled in.
  if (held.text !== text) setHeld({ text, filled: itemTexts(itemFields, text) });
  const { filled } = held;
  if (itemFields.length === 0 || filled === null) {
    const id = index === 0 ? o.id : `${o.id}-${index}`;
    return <FieldInput {...o.shared} id={id} label={o.name} text={text} set={set} />;
  }
  const errors = errorsOfItem(o.errors, field.path, index);
  const { args, fieldErrors } = readTexts(itemFields, filled);
  const placed = placeErrors(itemFields, errors, fieldErrors);
  return (
    <fieldset aria-label={o.name}>
      <ArgumentsForm
        id={`${o.id}-${index}`}
        fields={itemFields}
        filled={filled}
        args={args}
        before={null}
        fieldErrors={
          new Map(
            [...besideFields(itemFields, filled, placed.byField, errors)].filter(
              ([at]) => o.isTried || touched.has(at),
            ),
          )
        }
        errors={errors}
        isTried={o.isTried}
        change={(at, next) => {
          const all = itemFields.map((_, other) => (other === at ? next : (filled[other] ?? noTexts)));
          const changed = itemText(itemFields, all);
          setHeld({ text: changed, filled: all });
          setTouched(new Set([...touched, at]));
          set(changed);
        }}
      />
      {placed.others.map((error) => (
        <p key={error} className="fault">
          {error}
        </p>
      ))}
    </fieldset>
  );
}
