// The parameters and variables of a Dagu workflow. Dagu exports all of them, so its scripts find them in their
// environment.

import { isSecretName } from '../../../lib/secret-name.ts';
import { shellWord } from '../../../lib/shell-word.ts';
import type { FoundArgument } from '../found-job.ts';
import { attempt, Unreadable } from '../obstacles.ts';
import { isSecretValue, withoutSecrets } from '../secret-text.ts';
import { daguMembers } from './dagu-keys.ts';
import { type Data, isMembers, isYes, listOf, textOf } from './import-file.ts';
import { freeName, type NamedArgument, wordsIn } from './other-arguments.ts';

export type DaguValues = {
  readonly arguments: readonly NamedArgument[];
  /** The parameter that gets a value without a name. undefined: there is no parameter, or their order is not known. */
  readonly first: NamedArgument | undefined;
  /** Variables with a fixed value. */
  readonly environment: Readonly<Record<string, string>>;
  /** Shell lines that set everything else, in Dagu's order. */
  readonly setup: readonly string[];
  readonly names: ReadonlySet<string>;
};

const types = ['string', 'integer', 'number', 'boolean'];
const variableName = /^[A-Za-z_]\w*$/;
/** Variables that every process has, or that a job sets itself. */
const commonVariables = /^(?:HOME|PATH|USER|LANG|PWD|TMPDIR|SHELL|LOGNAME|HOSTNAME|RANDOM|\d|[@*#?$!-])$/;

export function readDaguValues(workflow: { readonly [key: string]: Data }, obstacles: string[]): DaguValues {
  const named: NamedArgument[] = [];
  const setup: string[] = [];
  const addArgument = (written: string, variable: string, make: (name: string) => FoundArgument): NamedArgument => {
    const name = freeName(
      written,
      named.map(({ argument }) => argument.name),
    );
    const one = { written, variable, argument: make(name) };
    named.push(one);
    return one;
  };
  const addSecret = (variable: string): void => {
    const schema = { type: 'string', format: 'secret' };
    addArgument(variable, variable, (name) => ({ name, isRequired: false, secretVariable: variable, schema }));
  };
  const positions: string[] = [];
  for (const { name, value, rest } of attempt(obstacles, () => parametersOf(workflow.params)) ?? []) {
    const isPosition = name === undefined;
    const written = name ?? `param_${positions.length + 1}`;
    if (!variableName.test(written)) obstacles.push(`its parameter \`${written}\` is not a valid name for a variable`);
    if (rest.eval !== undefined) obstacles.push(`its parameter ${written} is computed with \`eval\``);
    const type = textOf(rest.type) ?? 'string';
    if (!types.includes(type)) obstacles.push(`its parameter ${written} has the type ${type}`);
    const isSecret = isSecretName(written) || (value !== undefined && isSecretValue(written, value));
    const isDynamic = value !== undefined && hasExpansion(value);
    const { argument } = addArgument(written, written, (free) => ({
      name: free,
      isRequired: isYes(rest.required) && value === undefined,
      ...(isSecret && { secretVariable: written }),
      schema: isSecret
        ? { type: 'string', format: 'secret' }
        : {
            ...(isDynamic && { description: `default, computed in each run: ${withoutSecrets(value)}` }),
            ...schemaOf(type, rest),
            ...(value !== undefined && value !== '' && !isDynamic && { default: typed(value, rest) }),
          },
    }));
    const given = `$FLWD_ARG_${argument.name.toUpperCase()}`;
    const computed = isDynamic ? attempt(obstacles, () => expanding(value)) : undefined;
    if (!isSecret)
      setup.push(
        `${written}=${given}${computed === undefined ? '' : `; [ -n "$${written}" ] || ${written}=${computed}`}; export ${written}`,
      );
    if (isPosition) positions.push(`"$${written}"`);
  }
  const first = isOrdered(workflow.params) ? named[0] : undefined;
  if (positions.length > 0) setup.push(`set -- ${positions.join(' ')}`);
  for (const secret of listOf(workflow.secrets)) {
    const name = textOf(daguMembers(secret).name) ?? '';
    if (variableName.test(name)) addSecret(name);
    else obstacles.push('one of its `secrets` has no name');
  }
  const environment: Record<string, string> = {};
  const names = new Set(named.map(({ variable }) => variable));
  for (const [name, value] of variablesOf(workflow.env)) {
    if (!hasExpansion(value) && variableName.test(name)) environment[name] = value;
    else {
      // A variable from Dagu's own environment becomes a secret of the job if its name looks like that of a secret.
      for (const other of unknownNames(value, names).filter((one) => isSecretName(one))) {
        addSecret(other);
        names.add(other);
      }
      setup.push(...(attempt(obstacles, () => [exported(name, value)]) ?? []));
    }
    names.add(name);
  }
  return { arguments: named, first, environment, setup, names };
}

/** Dagu does not keep the order of a map's keys. */
function isOrdered(params: Data | undefined): boolean {
  const [first = null] = Array.isArray(params) ? listOf(params) : [params ?? null];
  return !isMembers(first) || typeof first.name === 'string' || Object.keys(first).length === 1;
}

/** Finds the variables that a text uses, although nothing in the workflow sets them. */
export function unknownNames(text: string, known: ReadonlySet<string>): string[] {
  const found = [...text.matchAll(/\$(?:\{(\w+)|([A-Za-z_]\w*))/g)].map(([, braced, plain]) => braced ?? plain ?? '');
  return [...new Set(found)].filter(
    (name) => !known.has(name) && !commonVariables.test(name) && !/^(?:FLWD|DAG|DAGU)_/.test(name),
  );
}

function hasExpansion(text: string): boolean {
  return /[$`]/.test(text);
}

/**
 * Writes a text as one word for the shell. `$NAME` and commands in backticks are expanded in it, but not split.
 * @throws Unreadable
 */
export function expanding(text: string): string {
  if (/\$\{[\w-]+\.|\$\{\{/.test(text))
    throw new Unreadable(`it uses \`${text}\`, a reference that only Dagu can resolve`);
  if (!hasExpansion(text)) return shellWord(text);
  const parts = text.split(/(`[^`]*`)/);
  return `"${parts.map((part, at) => (at % 2 === 1 ? `$(${part.slice(1, -1)})` : part.replaceAll(/["\\`]/g, '\\$&'))).join('')}"`;
}

/** A line that sets a variable for the programs of a step. @throws Unreadable */
export function exported(name: string, value: string): string {
  if (!variableName.test(name)) throw new Unreadable(`its variable \`${name}\` does not have a valid name`);
  return `${name}=${expanding(value)}; export ${name}`;
}

/** Reads variables in each of their forms: `KEY: value`, `[KEY: value]`, `[KEY=value]`. */
export function variablesOf(data: Data | undefined): [string, string][] {
  const entries = isMembers(data) ? [data] : listOf(data);
  return entries.flatMap((entry): [string, string][] =>
    isMembers(entry)
      ? Object.entries(entry).map(([name, value]) => [name, textOf(value) ?? ''])
      : [/^([^=]*)=(.*)$/s.exec(textOf(entry) ?? '')].flatMap((match) =>
          match ? [[match[1] ?? '', match[2] ?? '']] : [],
        ),
  );
}

type Parameter = {
  readonly name: string | undefined;
  readonly value: string | undefined;
  readonly rest: { readonly [key: string]: Data };
};

/**
 * Reads parameters in each of their forms: a text as on a command line, a map, or a list of texts, maps and
 * descriptions.
 */
function parametersOf(data: Data | undefined): Parameter[] {
  if (typeof data === 'string')
    return [...data.matchAll(/(?:([A-Za-z_]\w*)=)?("(?:[^"\\]|\\.)*"|'[^']*'|`[^`]*`|[^\s"'`]+)/g)].map(
      ([, name, value = '']) => ({
        name,
        value: value.startsWith('`') ? value : wordsIn(value)[0],
        rest: {},
      }),
    );
  if (isMembers(data) && ('schema' in data || 'values' in data))
    throw new Unreadable('its parameters have a schema in a form that only Dagu reads');
  const entries = isMembers(data) ? [data] : listOf(data);
  return entries.flatMap((entry): Parameter[] => {
    if (!isMembers(entry)) {
      const [, name, value] = /^(?:([A-Za-z_]\w*)=)?(.*)$/s.exec(textOf(entry) ?? '') ?? [];
      return [{ name, value, rest: {} }];
    }
    const isDescription =
      typeof entry.name === 'string' &&
      ['default', 'type', 'required', 'enum', 'description', 'eval'].some((key) => key in entry);
    if (isDescription) return [{ name: textOf(entry.name), value: textOf(entry.default), rest: entry }];
    return Object.entries(entry).map(([name, value]) => ({ name, value: textOf(value), rest: {} }));
  });
}

function schemaOf(type: string, rest: { readonly [key: string]: Data }): Record<string, unknown> {
  const values = listOf(rest.enum);
  const isNumber = type === 'integer' || type === 'number';
  const bounds = (['minimum', 'maximum'] as const).flatMap((key) =>
    isNumber && typeof rest[key] === 'number' ? [[key, rest[key]] as const] : [],
  );
  return {
    type,
    ...Object.fromEntries(bounds),
    ...(textOf(rest.description) !== undefined && { description: textOf(rest.description) }),
    ...(values.length > 0 && { enum: values }),
  };
}

function typed(value: string, rest: { readonly [key: string]: Data }): Data {
  return rest.type !== undefined && rest.type !== 'string' && rest.default !== undefined ? rest.default : value;
}
