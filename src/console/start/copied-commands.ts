// Writes the request that a job's form would send, as a command for flwd or curl and as JSON. A secret that was typed
// is never copied.

import { type ArgumentField, readFieldText, readListText } from '../../domain/argument-fields.ts';
import { flagOf } from '../../domain/argument-flags.ts';
import { shellWord } from '../../lib/shell-word.ts';
import { type FieldTexts, isSecret, noTexts } from './form-texts.ts';
import type { RunOptions } from './run-options.ts';

export type Copied = {
  readonly origin: string;
  readonly jobId: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly options: RunOptions;
};

/** @param hasToken whether the server needs a token. The command takes it from the environment. */
export function curlCommand({ origin, hasToken, ...copied }: Copied & { readonly hasToken: boolean }): string {
  return [
    `curl ${shellWord(`${origin}/api/v1/runs`)}`,
    "-H 'content-type: application/json'",
    ...(hasToken ? ['-H "authorization: Bearer $FLWD_TOKEN"'] : []),
    `-d ${shellWord(requestJson(copied))}`,
  ].join(' ');
}

/** The body of the request. */
export function requestJson({ jobId, args, options }: Omit<Copied, 'origin'>, indent?: number): string {
  return JSON.stringify({ job_id: jobId, args, ...options }, null, indent);
}

/** @param filled what the fields hold; null: the user has typed JSON, and the command contains it */
export function flwdCommand(
  { origin, jobId, args, options }: Copied,
  fields: readonly ArgumentField[],
  filled: readonly FieldTexts[] | null,
): string {
  const words =
    filled === null || !haveFlags(fields)
      ? wholeArguments(args)
      : fields.flatMap((field, at) => flags(field, filled[at]));
  // Without a namespace, the id of a job may be the name of a command.
  const job = jobId.includes('/') ? shellWord(jobId) : `run ${shellWord(jobId)}`;
  return [`flwd --remote ${shellWord(origin)} ${job}`, ...words, ...optionWords(options)].join(' ');
}

/** Whether each argument has a flag of its own. The argument `a.b` and `b` in the object `a` have the same flag. */
function haveFlags(fields: readonly ArgumentField[]): boolean {
  const names = fields.map(flagOf);
  return new Set(names).size === names.length && names.every((name) => /^--[\w.-]+$/.test(name));
}

function wholeArguments(args: Copied['args']): string[] {
  return Object.keys(args).length > 0 ? [`--args ${shellWord(JSON.stringify(args))}`] : [];
}

function flags(field: ArgumentField, { texts, isStored }: FieldTexts = noTexts): string[] {
  const flag = flagOf(field);
  if (field.kind === 'secret')
    return texts.map((text) => (isStored ? `${flag}.stored ${shellWord(text)}` : `${flag}.file FILE`));
  if (isSecret(field)) return texts.map(() => `${flag} SECRET`);
  if (field.kind === 'boolean') return texts.map((text) => (text === 'true' ? flag : `${flag}=${shellWord(text)}`));
  const [only = ''] = texts;
  // An item that is a JSON array itself would be taken for the whole list.
  if (field.kind === 'list' && texts.length === 1 && readListText(only)) {
    const read = readFieldText(field, only);
    return [`${flag} ${shellWord(JSON.stringify(['value' in read ? read.value : only]))}`];
  }
  // A value that begins with a hyphen would be taken for an option.
  return texts.map((text) => `${flag}${text.startsWith('-') ? '=' : ' '}${shellWord(text)}`);
}

function optionWords({ priority, labels = {}, security_profile: profile }: RunOptions): string[] {
  return [
    ...(priority === undefined ? [] : [`--priority ${priority}`]),
    ...Object.entries(labels).map(([key, value]) => `--label ${shellWord(`${key}=${value}`)}`),
    ...(profile === undefined ? [] : [`--security-profile ${profile}`]),
  ];
}
