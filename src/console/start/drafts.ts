// Drafts: what a user has typed into the forms of jobs and not started yet. They are kept in memory, without secrets.

import type { ArgumentField } from '../../domain/argument-fields.ts';
import { type FieldTexts, isSecret, noTexts, openArguments, readJsonText, typedSecrets } from './form-texts.ts';

type Draft = {
  readonly filled: readonly FieldTexts[];
  /** The arguments as JSON; null: the user has typed them into fields. */
  readonly json: string | null;
};

const drafts = new Map<string, Draft & { readonly signOuts: number }>();

/**
 * @param signOuts how often a user has signed out in this session, so that no user gets the draft of an earlier user
 */
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

/** Returns the text without secrets; null if it cannot be parsed, because it may then contain secrets. */
function openJson(fields: readonly ArgumentField[], json: string): string | null {
  if (!fields.some(isSecret)) return json;
  const { args, error } = readJsonText(json);
  return error === undefined ? JSON.stringify(openArguments(fields, args), null, 2) : null;
}
