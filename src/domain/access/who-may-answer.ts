// Says who may answer an approval.

import type { Approval } from '../run.ts';

/** For example `mara, ops`, or `anyone with runs:approve except local`. */
export function whoMayAnswer({
  by,
  not_by_starter: notByStarter,
  created_by: starter,
}: Pick<Approval, 'by' | 'not_by_starter' | 'created_by'>): string {
  const all = by?.join(', ') ?? 'anyone with runs:approve';
  return notByStarter && (by?.includes(starter) ?? true) ? `${all} except ${starter}` : all;
}
