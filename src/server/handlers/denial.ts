// Writes into an answer why a schedule, a trigger or a webhook starts no runs.

import { type Problem, problemType } from '../../domain/problem.ts';

export function toDenial(denied: Problem | null): { readonly type: string; readonly detail: string } | null {
  return denied && { type: problemType(denied.slug), detail: denied.message };
}
