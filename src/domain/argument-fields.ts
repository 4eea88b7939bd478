// Turns a job's argspec into fields that a person fills in, and turns the text of a field into a value. The command
// line offers the fields as flags, and the terminal UI shows them as a form. The server decides whether the arguments
// are valid.

/** A JSON Schema, as the API returns it. */
type Schema = Readonly<Record<string, unknown>>;

type FieldKind = 'text' | 'integer' | 'number' | 'boolean' | 'choice' | 'secret' | 'list' | 'json';

export type ArgumentField = {
  /** The names that lead from the arguments to this field: `['retention', 'days']`. */
  readonly path: readonly string[];
  readonly kind: FieldKind;
  /** The kind of a list's items; null if the field is not a list. */
  readonly itemKind: Exclude<FieldKind, 'list'> | null;
  /** For a list of objects, the fields of each object; otherwise empty. */
  readonly itemFields: readonly ArgumentField[];
  /** Whether the items of a list must all be different. */
  readonly isUnique: boolean;
  /** The values that the field, or each item of a list, may have; empty if they are not limited to a choice. */
  readonly choices: readonly unknown[];
  readonly isRequired: boolean;
  readonly title: string | null;
  readonly description: string | null;
  /** undefined if there is no default. */
  readonly defaultValue: unknown;
  readonly examples: readonly unknown[];
  readonly format: string | null;
  /** Whether a text may have several lines. */
  readonly isLong: boolean;
  /** If the value may have one of several forms, the titles of these forms. */
  readonly alternatives: readonly string[];
  /** The rules for the value, in words: `1 to 365`, `path`. */
  readonly constraints: readonly string[];
};

type ReadValue = { readonly value: unknown } | { readonly error: string };

/**
 * The members of an object become fields of their own down to this depth. A deeper object is one field that takes JSON.
 */
const mostDepth = 4;
const mostChoices = 500;
/** Text that may be longer than this gets a field of several lines. */
const longestLine = 200;

/**
 * Returns the fields for a JSON Schema of type object. Members that cannot become fields, such as those in `oneOf`, can
 * only be set with `--args`.
 */
export function argumentFields(schema: Schema): ArgumentField[] {
  return membersOf(schema, schema, []);
}

/**
 * @param depth the number of levels above these members. For the members of a list's items, the list and the levels
 * above it count, too
 */
function membersOf(schema: Schema, root: Schema, above: readonly string[], depth = 0): ArgumentField[] {
  const required = Array.isArray(schema.required) ? schema.required : [];
  return Object.entries(asObject(schema.properties) ?? {}).flatMap(([name, member]) => {
    const path = [...above, name];
    const resolved = resolve(asObject(member) ?? {}, root);
    if (depth + 1 < mostDepth && isPlainObject(resolved)) {
      const isAsked = required.includes(name);
      return membersOf(resolved, root, path, depth + 1).map((field) => ({
        ...field,
        isRequired: field.isRequired && isAsked,
      }));
    }
    return [toField(resolved, root, { path, depth: depth + 1, isRequired: required.includes(name) })];
  });
}

function toField(
  schema: Schema,
  root: Schema,
  at: { readonly path: readonly string[]; readonly depth: number; readonly isRequired: boolean },
): ArgumentField {
  const kind = kindOf(schema);
  const items = kind === 'list' ? resolve(asObject(schema.items) ?? {}, root) : null;
  const itemKind = items && kindOf(items);
  const { maxLength, default: fallback } = schema;
  return {
    path: at.path,
    kind,
    itemKind: itemKind === 'list' ? 'json' : itemKind,
    itemFields: items && at.depth < mostDepth && isPlainObject(items) ? membersOf(items, root, [], at.depth) : [],
    isUnique: schema.uniqueItems === true,
    choices: choicesOf(items ?? schema),
    isRequired: at.isRequired,
    title: asText(schema.title),
    description: asText(schema.description),
    defaultValue: fallback,
    format: asText(schema.format),
    isLong:
      kind === 'text' &&
      ((typeof maxLength === 'number' && maxLength > longestLine) || /\n/.test(asText(fallback) ?? '')),
    alternatives: titlesOf(schema, root),
    examples: Array.isArray(schema.examples) ? schema.examples : [],
    constraints: [...constraintsOf(schema), ...(items ? constraintsOf(items) : [])],
  };
}

/**
 * The kind that the schema's types allow. The type `null` is ignored, because a person who wants no value leaves the
 * field empty.
 */
function kindOf(schema: Schema): FieldKind {
  if (schema.format === 'secret') return 'secret';
  if (choicesOf(schema).length > 0) return 'choice';
  const types = (Array.isArray(schema.type) ? schema.type : [schema.type]).filter((type) => type !== 'null');
  const [type] = types;
  if (types.length !== 1) return 'json';
  if (type === 'string') return 'text';
  if (type === 'integer' || type === 'number' || type === 'boolean') return type;
  return type === 'array' ? 'list' : 'json';
}

function titlesOf({ oneOf, anyOf }: Schema, root: Schema): string[] {
  const forms: unknown = oneOf ?? anyOf;
  if (!Array.isArray(forms)) return [];
  return forms.flatMap((form) => asText(resolve(asObject(form) ?? {}, root).title) ?? []);
}

function isPlainObject(schema: Schema): boolean {
  return schema.type === 'object' && Object.keys(asObject(schema.properties) ?? {}).length > 0;
}

function choicesOf(schema: Schema): readonly unknown[] {
  if (Array.isArray(schema.enum)) return schema.enum.slice(0, mostChoices);
  return 'const' in schema ? [schema.const] : [];
}

/** Resolves references of the form `#/…` within the schema. */
function resolve(schema: Schema, root: Schema, left = 8): Schema {
  const { $ref, ...own } = schema;
  if (typeof $ref !== 'string' || !$ref.startsWith('#/') || left === 0) return schema;
  let target: unknown = root;
  for (const part of $ref.slice(2).split('/')) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    const at = asObject(target);
    target = at && Object.hasOwn(at, name) ? at[name] : undefined;
  }
  const found = asObject(target);
  return found ? resolve({ ...found, ...own }, root, left - 1) : schema;
}

function constraintsOf(schema: Schema): string[] {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema;
  const { minLength, maxLength, minItems, maxItems, pattern, format, uniqueItems } = schema;
  return [
    between(minimum, maximum),
    exclusiveMinimum === undefined ? null : `above ${showValue(exclusiveMinimum)}`,
    exclusiveMaximum === undefined ? null : `below ${showValue(exclusiveMaximum)}`,
    multipleOf === undefined ? null : `a multiple of ${showValue(multipleOf)}`,
    between(minLength, maxLength, { one: 'one character', many: ' characters' }),
    between(minItems, maxItems, { one: 'one', many: ' values' }),
    uniqueItems === true ? 'each only once' : null,
    typeof format === 'string' && format !== 'secret' ? format : null,
    typeof pattern === 'string' ? `matches ${pattern}` : null,
  ].filter((words) => words !== null);
}

function between(least: unknown, most: unknown, unit?: { readonly one: string; readonly many: string }): string | null {
  if (least === undefined && most === undefined) return null;
  const words = (amount: unknown): string =>
    unit && amount === 1 ? unit.one : `${showValue(amount)}${unit?.many ?? ''}`;
  if (most === undefined) return `at least ${words(least)}`;
  return least === undefined
    ? `at most ${words(most)}`
    : `${showValue(least)} to ${showValue(most)}${unit?.many ?? ''}`;
}

/** Turns what a person typed into a value of the field or, if the field is a list, into one item. */
export function readFieldText(field: ArgumentField, text: string): ReadValue {
  const kind = field.itemKind ?? field.kind;
  switch (kind) {
    case 'integer':
      return readInteger(text);
    case 'number':
      return text.trim() !== '' && Number.isFinite(Number(text))
        ? { value: Number(text) }
        : { error: 'must be a number' };
    case 'boolean':
      return readBoolean(text);
    case 'choice': {
      const found = field.choices.find((choice) => showValue(choice) === text);
      return found === undefined
        ? { error: `must be one of ${field.choices.map(showValue).join(', ')}` }
        : { value: found };
    }
    case 'json':
      return readJson(text);
    default:
      return { value: text };
  }
}

/** Returns the list if the text is a JSON array, and otherwise undefined. */
export function readListText(text: string): readonly unknown[] | undefined {
  if (!/^\s*\[/.test(text)) return undefined;
  const read = readJson(text);
  return 'value' in read && Array.isArray(read.value) ? read.value : undefined;
}

function readInteger(text: string): ReadValue {
  if (!/^[+-]?\d+$/.test(text)) return { error: 'must be a whole number' };
  const value = Number(text);
  if (Number.isSafeInteger(value)) return { value };
  // JSON would round a larger number.
  return {
    error: value > 0 ? `must be at most ${Number.MAX_SAFE_INTEGER}` : `must be at least ${Number.MIN_SAFE_INTEGER}`,
  };
}

function readBoolean(text: string): ReadValue {
  if (['true', 'yes', 'on', '1'].includes(text.toLowerCase())) return { value: true };
  if (['false', 'no', 'off', '0'].includes(text.toLowerCase())) return { value: false };
  return { error: 'must be true or false' };
}

/** Returns text that is not JSON unchanged, because a field may accept both text and other types. */
function readJson(text: string): ReadValue {
  try {
    const value: unknown = JSON.parse(text);
    return { value };
  } catch {
    return /^\s*[[{"]/.test(text) ? { error: 'is not JSON' } : { value: text };
  }
}

/** Writes a value as a person reads and types it: text unchanged, and everything else as JSON. */
export function showValue(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}

/** Sets one value in the arguments, and creates the objects on the path to it. */
export function setArgument(args: Record<string, unknown>, path: readonly string[], value: unknown): void {
  let at = args;
  for (const [depth, name] of path.entries()) {
    if (depth === path.length - 1) {
      Object.defineProperty(at, name, { value, enumerable: true, configurable: true, writable: true });
      return;
    }
    const inner = asObject(Object.hasOwn(at, name) ? at[name] : undefined);
    const next: Record<string, unknown> = inner ? { ...inner } : {};
    Object.defineProperty(at, name, { value: next, enumerable: true, configurable: true, writable: true });
    at = next;
  }
}

function asObject(value: unknown): Schema | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return Object.fromEntries(Object.entries(value));
}

function asText(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
