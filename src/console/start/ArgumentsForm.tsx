// The fields of a job's arguments, nested as in its schema. Each field shows its description, its input and its error.

import { Plus, X } from 'lucide-react';
import { type ReactNode, useEffect, useEffectEvent, useState } from 'react';
import { type ArgumentField, showValue } from '../../domain/argument-fields.ts';
import { type ArgumentError, errorsOfItem, placeErrors } from '../../domain/filled-fields.ts';
import type { JsonObject } from '../../domain/job.ts';
import { Button, IconButton } from '../design/controls/Button.tsx';
import { Checkbox } from '../design/controls/Checkbox.tsx';
import { Combobox } from '../design/controls/Select.tsx';
import { useAnswer } from '../session/answers.tsx';
import styles from './ArgumentsForm.module.css';
import { ChipsInput } from './ChipsInput.tsx';
import type { Difference } from './differences.ts';
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
  /** The arguments that the fields hold. */
  readonly args: JsonObject;
  /** The arguments of the run that is run again; null: the form starts a new run. */
  readonly before: JsonObject | null;
  /** The errors to show, by field. Only a field that the user has touched has an error here. */
  readonly fieldErrors: ReadonlyMap<number, string>;
  /** All errors that the server reports. */
  readonly errors: readonly ArgumentError[];
  /** The user has tried to start the job, so all errors are shown. */
  readonly isTried: boolean;
  /** What differs from the run whose arguments were taken over. */
  readonly differences?: readonly Difference[] | null;
  readonly change: (index: number, filled: FieldTexts) => void;
};

export function ArgumentsForm(o: Shared & { readonly fields: readonly ArgumentField[] }): ReactNode {
  if (o.fields.length === 0) return <p className={styles.quiet}>The job takes no arguments.</p>;
  return (
    <div className={styles.fields}>
      <Members entries={o.fields.map((field, index) => ({ field, index }))} depth={0} shared={o} />
    </div>
  );
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
          difference={field.path.length === 1 ? shared.differences?.find((one) => one.name === name) : undefined}
          change={(filled) => shared.change(index, filled)}
        />
      );
    }
    return (
      <fieldset key={name} className={styles.group}>
        <legend>{name}</legend>
        <div className={styles.fields}>
          <Members entries={below} depth={depth + 1} shared={shared} />
        </div>
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
  readonly difference: Difference | undefined;
  readonly change: (filled: FieldTexts) => void;
};

function Name({ field }: { readonly field: ArgumentField }): ReactNode {
  return (
    <>
      {field.title ?? field.path.at(-1)}
      {field.isRequired && <span className={styles.required}> required</span>}
    </>
  );
}

/** Whether a field needs the whole width of the form. */
function isWide({ kind, itemKind, isLong }: ArgumentField): boolean {
  return kind === 'list' || kind === 'json' || itemKind === 'json' || isLong;
}

function nameOf({ title, path }: ArgumentField): string {
  return title ?? path.at(-1) ?? '';
}

/**
 * Whether the field is a check box. A required boolean without a default is not, because an unchecked box does not say
 * whether the value is `false` or missing.
 */
function isCheck({ kind, isRequired }: ArgumentField, left: LeftEmpty | null): boolean {
  return kind === 'boolean' && (left !== null || !isRequired);
}

function Field(o: FieldProps): ReactNode {
  const { id, field, filled, left, change, difference } = o;
  const { kind } = field;
  // An error inside an item is shown at the item.
  const isInside = filled.texts.some((_, index) => errorsOfItem(o.errors, field.path, index).length > 0);
  const error = field.itemFields.length > 0 && isInside ? undefined : o.error;
  const shared = {
    field,
    left,
    label: nameOf(field),
    describedBy: `${id}-about ${id}-error`,
    isWrong: error !== undefined,
  };
  return (
    <div className={styles.field} data-wide={isWide(field) || undefined}>
      {!isCheck(field, left) && (
        <div className={styles.top}>
          <label className={styles.label} id={`${id}-name`} htmlFor={id}>
            <Name field={field} />
          </label>
          {difference && <Was difference={difference} />}
        </div>
      )}
      {field.alternatives.length > 0 && <p className={styles.hint}>One of: {field.alternatives.join('; ')}</p>}
      {kind === 'list' ? (
        <ListInput {...o} shared={shared} />
      ) : kind === 'secret' ? (
        <SecretInput {...o} shared={shared} />
      ) : isCheck(field, left) ? (
        <div className={styles.top}>
          <Checkbox
            label={nameOf(field)}
            checked={(filled.texts[0] ?? left?.shown) === 'true'}
            onChange={(isOn) => change({ ...filled, texts: [String(isOn)] })}
          />
          {difference && <Was difference={difference} />}
        </div>
      ) : (
        <FieldInput
          {...shared}
          id={id}
          text={filled.texts[0] ?? ''}
          set={(next) => change({ ...filled, texts: next === '' ? [] : [next] })}
        />
      )}
      <p className={styles.hint} id={`${id}-about`}>
        {[field.description, hintsOf(field, left).join(', ')].filter(Boolean).join(' – ')}
      </p>
      <p className={styles.error} id={`${id}-error`} data-error={error !== undefined || undefined}>
        {error}
      </p>
    </div>
  );
}

function Was({ difference: { was } }: { readonly difference: Difference }): ReactNode {
  return (
    <span className={styles.was} title={was ?? undefined}>
      ± {was === null ? 'was not given' : `was ${was}`}
    </span>
  );
}

/** The input for a secret. It takes either the value, for this run alone, or the name of a stored secret. */
function SecretInput(o: FieldProps & { readonly shared: Omit<InputProps, 'id' | 'text' | 'set'> }): ReactNode {
  const { id, filled, change, shared } = o;
  /** The secret that the user typed before choosing a stored secret. */
  const [typed, setTyped] = useState<FieldTexts['texts']>([]);
  const tick = (isStored: boolean): void => {
    // A typed secret must not be shown or sent as a name, because the server repeats names in its errors.
    if (isStored) setTyped(filled.texts);
    change({ texts: isStored ? [] : typed, isStored });
  };
  const set = (next: string): void => change({ ...filled, texts: next === '' ? [] : [next] });
  const found = (names: readonly string[]): void => {
    if (filled.texts.length === 0 && typed.some((text) => names.includes(text))) change({ ...filled, texts: typed });
  };
  return (
    <>
      {filled.isStored ? (
        <StoredSecret {...shared} id={id} text={filled.texts[0] ?? ''} set={set} found={found} />
      ) : (
        <FieldInput {...shared} id={id} text={filled.texts[0] ?? ''} set={set} />
      )}
      <Checkbox label="Use a stored secret" checked={filled.isStored} onChange={tick} />
    </>
  );
}

/** Offers the names of stored secrets if the caller may list them. Otherwise the user types the name. */
function StoredSecret(o: InputProps & { readonly found: (names: readonly string[]) => void }): ReactNode {
  const { data } = useAnswer(['secrets'], (client, signal) => client.call('listSecrets', { signal }));
  const found = useEffectEvent(o.found);
  useEffect(() => {
    if (data) found(data.secrets.map(({ name }) => name));
  }, [data]);
  if (!data || data.secrets.length === 0) return <FieldInput {...o} isStored />;
  return (
    <Combobox
      id={o.id}
      label={o.label}
      size="form"
      placeholder="Name of a stored secret"
      describedBy={o.describedBy}
      isWrong={o.isWrong}
      value={o.text === '' ? null : o.text}
      onChange={o.set}
      choices={data.secrets.map(({ name }) => ({ value: name, label: name, note: 'stored' }))}
    />
  );
}

/** Examples for formats that browsers have no input for. */
const timeExamples: Readonly<Record<string, string>> = { 'date-time': '2026-01-31T09:30:00Z', time: '09:30:00Z' };

function hintsOf(field: ArgumentField, left: LeftEmpty | null): string[] {
  const { defaultValue, format, examples, path, description } = field;
  const given = timeExamples[format ?? ''];
  const shown = examples.length === 0 && given !== undefined ? [given] : examples.slice(0, 3).map(showValue);
  return [
    ...field.constraints.filter((words) => !isSaidBy(description, words)),
    ...(defaultValue !== undefined && left === null
      ? [`${showValue(defaultValue)} by default, if ${path.slice(0, -1).join('.')} is given`]
      : []),
    ...(format === 'date' && left ? [`${left.shown} ${left.why === 'default' ? 'by default' : left.why}`] : []),
    ...(shown.length > 0 ? [`e.g. ${shown.join(', ')}`] : []),
  ];
}

/**
 * Whether the description makes the constraint redundant. A pattern is left out for any description, because few people
 * can read a pattern. The error of the field still shows it.
 */
function isSaidBy(description: string | null | undefined, constraint: string): boolean {
  if (!description) return false;
  return constraint.startsWith('matches ') || description.toLowerCase().includes(constraint);
}

/** In a longer list of choices, it is faster to type a choice than to search for its check box. */
const mostChecks = 30;

type ListProps = FieldProps & {
  readonly shared: Omit<InputProps, 'id' | 'text' | 'set'>;
};

/** Shows a list whose values are distinct choices as check boxes. */
function Choices(o: ListProps & { readonly set: (texts: readonly string[]) => void; readonly children: ReactNode }) {
  const { texts } = o.filled;
  const choices = o.field.choices.map(showValue);
  const strange = texts.filter((text) => !choices.includes(text));
  return (
    <fieldset
      id={o.id}
      className={styles.checks}
      aria-labelledby={`${o.id}-name`}
      aria-describedby={o.shared.describedBy}
    >
      {[...choices, ...strange].map((choice) => (
        <Checkbox
          key={choice}
          label={choice === '' ? '(empty)' : choice}
          checked={texts.includes(choice)}
          onChange={(isOn) =>
            o.set([...choices, ...strange].filter((one) => (one === choice ? isOn : texts.includes(one))))
          }
        />
      ))}
      {o.children}
    </fieldset>
  );
}

function ListInput(o: ListProps): ReactNode {
  const { field, filled, left } = o;
  const { texts } = filled;
  const name = field.title ?? field.path.join('.');
  const { itemKind } = field;
  const set = (next: readonly string[]): void => o.change({ ...filled, texts: next });
  const leftWords = texts.length === 0 && left !== null && !isSecret(field) && (
    <span className={styles.hint}>
      {left.why} {left.shown}
    </span>
  );
  if (field.isUnique && field.itemKind === 'choice' && field.choices.length <= mostChecks) {
    return (
      <Choices {...o} set={set}>
        {leftWords}
      </Choices>
    );
  }
  if ((itemKind === 'text' || itemKind === 'integer' || itemKind === 'number') && !hasLines(texts)) {
    return (
      <>
        <ChipsInput
          {...o.shared}
          id={o.id}
          label={name}
          placeholder={left === null ? `Add to ${name}, then press Enter` : ''}
          texts={texts}
          set={set}
        />
        {leftWords}
      </>
    );
  }
  return (
    <fieldset className={styles.list} aria-labelledby={`${o.id}-name`}>
      {texts.map((text, index) => (
        <div className={styles.row} key={index}>
          <Item
            {...o}
            name={`${name}, item ${index + 1}`}
            index={index}
            text={text}
            set={(next) => set(texts.with(index, next))}
          />
          <IconButton
            icon={X}
            label={`Remove item ${index + 1} of ${name}`}
            onClick={() => set(texts.toSpliced(index, 1))}
          />
        </div>
      ))}
      <Button
        size="small"
        icon={Plus}
        // While the list is empty, the label of the field points to this button. `aria-label` keeps the button's own
        // name.
        aria-label={`Add to ${name}`}
        {...(texts.length === 0 && { id: o.id })}
        onClick={() => set([...texts, field.itemFields.length > 0 ? '{}' : ''])}
      >
        Add to {name}
      </Button>
      {leftWords}
    </fieldset>
  );
}

function hasLines(texts: readonly string[]): boolean {
  return texts.some((text) => text.includes('\n'));
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
  // The text has changed elsewhere: another item was removed, or the arguments of an earlier run were filled in.
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
    <fieldset aria-label={o.name} className={styles.item}>
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
        <p key={error} className={styles.error} data-error>
          {error}
        </p>
      ))}
    </fieldset>
  );
}
