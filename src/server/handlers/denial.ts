// Why something starts no runs, as answers say it.

import { type Problem, problemType } from '../../domain/problem.ts';

export function toDenial(denied: Problem | null): { readonly type: string; readonly detail: string } | null {
  return denied && { type: problemType(denied.slug), detail: denied.message };
}
