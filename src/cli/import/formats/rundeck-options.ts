// The options of a Rundeck job as arguments. The job's scripts find the value of each option in RD_OPTION_NAME.

import type { FoundArgument } from '../found-job.ts';
import { isSecretValue } from '../secret-text.ts';
import { type Data, isMembers, isYes, listOf, type Members, textOf } from './import-file.ts';
import { freeName, type NamedArgument } from './other-arguments.ts';

export type Options = {
  readonly all: readonly NamedArgument[];
  readonly notes: readonly string[];
  readonly obstacles: readonly string[];
};

export function readOptions(data: Data | undefined): Options {
  const listed = isMembers(data)
    ? Object.entries(data).map(([name, option]): Members => ({ name, ...(isMembers(option) ? option : {}) }))
    : listOf(data).filter(isMembers);
  const all: NamedArgument[] = [];
  const notes: string[] = [];
  const obstacles: string[] = [];
  for (const option of listed) {
    const written = textOf(option.name) ?? '';
    const variable = `RD_OPTION_${written.replaceAll(/[^A-Za-z0-9]/g, '_').toUpperCase()}`;
    const value = textOf(option.value);
    if (written === '') {
      obstacles.push('an option has no name');
      continue;
    }
    if (textOf(option.type) === 'file')
      obstacles.push(`its option ${written} takes a file, but arguments of flwd are text`);
    if (/\$\{|@(?:option|globals|node|job)\./.test(value ?? ''))
      obstacles.push(`the default of its option ${written} refers to another value`);
    if (all.some((one) => one.variable === variable))
      obstacles.push(`two of its options would become the same variable, ${variable}`);
    const name = freeName(
      written,
      all.map(({ argument }) => argument.name),
    );
    const isWords = isYes(option.multivalued) && textOf(option.delimiter)?.trim() === '';
    all.push({ written, variable, argument: argumentOf(option, { name, variable }), isWords });
    notes.push(...notesOf(option, written));
  }
  return { all, notes, obstacles };
}

function argumentOf(option: Members, o: { readonly name: string; readonly variable: string }): FoundArgument {
  const description = textOf(option.description)?.trim();
  const described = description === undefined || description === '' ? {} : { description };
  const isRequired = isYes(option.required);
  const value = textOf(option.value);
  if (isYes(option.secure) || (value !== undefined && isSecretValue(o.variable, value)))
    return {
      name: o.name,
      isRequired,
      secretVariable: o.variable,
      schema: { type: 'string', format: 'secret', ...described },
    };
  const values = listOf(option.values).flatMap((value) => textOf(value) ?? []);
  const pattern = patternOf(option);
  const isOne = !isYes(option.multivalued);
  return {
    name: o.name,
    isRequired: isRequired && value === undefined,
    schema: {
      type: 'string',
      ...described,
      ...(isYes(option.enforced) &&
        isOne &&
        values.length > 0 && { enum: [...new Set([...values, ...(value === undefined ? [] : [value])])] }),
      ...(pattern !== undefined && isOne && { pattern }),
      ...(value !== undefined && { default: value }),
    },
  };
}

/**
 * In Rundeck, the pattern must match the whole value. A pattern that RE2 does not support is left out, because it would
 * make the job invalid.
 */
function patternOf(option: Members): string | undefined {
  const regex = textOf(option.regex);
  if (regex === undefined || regex === '' || /\(\?[=!<]|\\[1-9kGZzAXRQE]|[*+?}]\+/.test(regex)) return undefined;
  try {
    return new RegExp(`^(?:${regex})$`, 'u').source;
  } catch {
    return undefined;
  }
}

function notesOf(option: Members, name: string): string[] {
  const regex = textOf(option.regex) ?? '';
  return [
    ...(regex !== '' && patternOf(option) === undefined
      ? [`the pattern \`${regex}\` of its option ${name} was not carried over`]
      : []),
    ...(textOf(option.valuesUrl) !== undefined
      ? [`the values of its option ${name} came from a URL: flwd accepts any text`]
      : []),
    ...(isYes(option.multivalued)
      ? [`its option ${name} takes several values as one text, separated by \`${textOf(option.delimiter) ?? ','}\``]
      : []),
    ...(/["'`$\\]/.test(textOf(option.value) ?? '')
      ? [
          `the default of its option ${name} contains characters that a shell interprets: Rundeck pasted them into scripts; here they are part of the value`,
        ]
      : []),
    ...(isYes(option.secure) && textOf(option.storagePath) !== undefined
      ? [`its option ${name} came from \`${textOf(option.storagePath)}\` of Rundeck's key storage`]
      : []),
    ...(isYes(option.secure) && !isYes(option.valueExposed)
      ? [`its option ${name} was only for signing in to nodes: in Rundeck, scripts could not read it`]
      : []),
  ];
}
