// Writes into an answer why something starts no runs.

import { type Problem, problemType } from '../../domain/problem.ts';

export function toDenial(denied: Problem | null): { readonly type: string; readonly detail: string } | null {
  return denied && { type: problemType(denied.slug), detail: denied.message };
}
