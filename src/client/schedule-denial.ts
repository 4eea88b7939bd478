// What a schedule that starts nothing lacks, in two words, for every interface.

import { problemType } from '../domain/problem.ts';

/** A calendar is all that a schedule itself can name wrongly. */
export function denialWords({ type }: { readonly type: string }): 'No calendar' | 'Not allowed' {
  return type === problemType('job-invalid') ? 'No calendar' : 'Not allowed';
}
