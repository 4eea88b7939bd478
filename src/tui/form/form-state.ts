// The state of a form: what is typed into each field, and the resulting arguments.

import { type ArgumentField, argumentFields, showValue } from '../../domain/argument-fields.ts';
import {
  type ArgumentError,
  type FormErrors,
  placeErrors as placeOnFields,
  readFields,
} from '../../domain/filled-fields.ts';
import { characters } from '../characters.ts';
import type { Press } from '../presses.ts';
import { editText, emptyText, type TextEdit, textOf } from '../text-edit.ts';

export type FormField = {
  readonly field: ArgumentField;
  /** The text that was typed. In a list, the item that is being typed. */
  readonly edit: TextEdit;
  /** The items that have been added to a list. */
  readonly items: readonly string[];
};

export type FormState = {
  readonly fields: readonly FormField[];
  /** The index of the focused field. The start button comes after the last field. */
  readonly focused: number;
};

export function createForm(schema: Readonly<Record<string, unknown>>): FormState {
  const fields = argumentFields(schema).map(
    (field): FormField => ({ field, edit: textOf(untouched(field)), items: [] }),
  );
  return { fields, focused: 0 };
}

/** The options of a choice; empty for other fields. */
function optionsOf({ kind, choices }: ArgumentField): string[] {
  if (kind === 'boolean') return ['true', 'false'];
  return kind === 'choice' ? choices.map(showValue) : [];
}

/**
 * Returns the text of a field before the user types. A choice begins with its default. A choice inside of an object
 * begins empty, because a default would make the form send the object, which may have other required members.
 */
function untouched(field: ArgumentField): string {
  const { path, defaultValue } = field;
  const text = defaultValue === undefined ? '' : showValue(defaultValue);
  return path.length === 1 && optionsOf(field).includes(text) ? text : '';
}

export function focus({ fields }: FormState, index: number): FormState {
  const count = fields.length + 1;
  return { fields, focused: (index + count) % count };
}

/** Returns null if the focused field does not use the key. */
export function pressField(form: FormState, press: Press): FormState | null {
  const focused = form.fields[form.focused];
  if (!focused) return null;
  const pressed = changed(focused, press);
  return pressed && { ...form, fields: form.fields.with(form.focused, pressed) };
}

function changed(formField: FormField, press: Press): FormField | null {
  const { field, edit, items } = formField;
  if (optionsOf(field).length > 0) {
    const text = cycled(field, edit.text, press.key);
    return text === null ? null : { ...formField, edit: textOf(text) };
  }
  if (field.kind === 'list') {
    if (press.key === 'enter' && edit.text !== '') {
      return { ...formField, items: [...items, edit.text], edit: emptyText };
    }
    if (press.key === 'backspace' && edit.text === '' && items.length > 0) {
      return { ...formField, items: items.slice(0, -1), edit: textOf(items.at(-1) ?? '') };
    }
  }
  const edited = editText(edit, isSecret(field) ? press : withoutLineEnd(press));
  return edited && { ...formField, edit: edited };
}

/**
 * Removes a line break at the end of pasted text. Text copied from a terminal often has one that is not part of the
 * value. Not used for secrets, because a secret may end with a line break.
 */
function withoutLineEnd({ key, text }: Press): Press {
  return { key, text: key === 'paste' ? text.replace(/\n$/, '') : text };
}

/** Returns the next choice. If the field may be empty, the empty choice comes between the last and the first choice. */
function cycled(field: ArgumentField, text: string, key: string): string | null {
  const choices = [...(untouched(field) === '' ? [''] : []), ...optionsOf(field)];
  const at = Math.max(0, choices.indexOf(text));
  if (key === ' ' || key === 'right') return choices[(at + 1) % choices.length] ?? '';
  if (key === 'left') return choices.at(at - 1) ?? '';
  if (key === 'backspace' || key === 'delete') return untouched(field);
  if (!/^[\p{L}\p{N}]$/u.test(key)) return null;
  const rest = [...choices.slice(at + 1), ...choices.slice(0, at + 1)];
  return rest.find((choice) => choice.toLowerCase().startsWith(key.toLowerCase())) ?? text;
}

/** Reads the arguments from the fields, and the errors of fields that cannot be read. */
export function readForm({ fields }: FormState): ReturnType<typeof readFields> {
  return readFields(
    fields.map(({ field, edit, items }) => ({ field, texts: edit.text === '' ? items : [...items, edit.text] })),
  );
}

/** Assigns the server's errors, and the errors of values that cannot be read, to their fields. */
export function placeErrors(
  { fields }: FormState,
  errors: readonly ArgumentError[],
  own: ReadonlyMap<number, string>,
): FormErrors {
  return placeOnFields(
    fields.map(({ field }) => field),
    errors,
    own,
  );
}

/** Moves to the first field with an error, if there is one. */
export function focusFirstError(
  form: FormState,
  errors: readonly ArgumentError[],
  own: ReadonlyMap<number, string>,
): FormState {
  const first = Math.min(...placeErrors(form, errors, own).byField.keys());
  return Number.isFinite(first) ? focus(form, first) : form;
}

/** The text that the field shows, without the cursor. Secrets are shown as dots. */
export function shownText({ field, edit, items }: FormField): string {
  const typed = isSecret(field) ? '•'.repeat(characters(edit.text).length) : edit.text;
  const added = items.map((item) => (isSecret(field) ? '•••' : item));
  return field.kind === 'list' ? [...added, typed].join(', ') : typed;
}

function isSecret({ kind, itemKind }: ArgumentField): boolean {
  return kind === 'secret' || itemKind === 'secret';
}
