// What has been typed into the forms of jobs and not been started: in memory, without secrets, for whoever typed it.

import type { ArgumentField } from '../../domain/argument-fields.ts';
import { type FieldTexts, isSecret, noTexts, openArguments, readJsonText, typedSecrets } from './form-texts.ts';

type Draft = {
  readonly filled: readonly FieldTexts[];
  /** Where the arguments are written as JSON. */
  readonly json: string | null;
};

const drafts = new Map<string, Draft & { readonly signOuts: number }>();

/** `signOuts` of the session: what somebody typed who has signed out since is nobody's. */
export function draftOf(jobId: string, signOuts: number): Draft | null {
  const draft = drafts.get(jobId);
  return draft?.signOuts === signOuts ? draft : null;
}

export function keepDraft(
  jobId: string,
  signOuts: number,
  fields: readonly ArgumentField[],
  { filled, json }: Draft,
): void {
  const secrets = new Set(typedSecrets(fields, filled));
  const open = filled.map((one, index) => (secrets.has(index) ? noTexts : one));
  drafts.set(jobId, { filled: open, json: json === null ? null : openJson(fields, json), signOuts });
}

export function dropDraft(jobId: string): void {
  drafts.delete(jobId);
}

/** null: there may be secrets in it that cannot be told. */
function openJson(fields: readonly ArgumentField[], json: string): string | null {
  if (!fields.some(isSecret)) return json;
  const { args, error } = readJsonText(json);
  return error === undefined ? JSON.stringify(openArguments(fields, args), null, 2) : null;
}
