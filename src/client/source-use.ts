// Describes what an untrusted source may use. All interfaces show the same text.

import type { AnswerOf } from '../contract/operations.ts';
import type { Frozen } from '../lib/frozen.ts';

export type SourceUse = Frozen<NonNullable<AnswerOf<'getSource'>['may_use']>>;

/** Says what the jobs of an untrusted source may use, besides their own runs. */
export function useWords({ secrets, schedules, webhooks, notify, calls, triggers, kv }: SourceUse): string {
  const sources = typeof calls === 'string' ? '' : ` of ${calls.join(', ')}`;
  const words = [
    ...(secrets.length > 0 ? [`the secrets ${secrets.join(', ')}`] : []),
    ...(schedules ? ['schedules'] : []),
    ...(webhooks ? ['webhooks'] : []),
    ...(notify ? ['notifications'] : []),
    ...(triggers === 'own' || triggers.length === 0
      ? []
      : [`triggers after runs of ${triggers === 'all' ? 'all sources' : triggers.join(', ')}`]),
    ...(calls === 'own' || calls.length === 0 ? [] : [`jobs${calls === 'all' ? ' of all sources' : sources}`]),
    ...(kv.length > 0 ? [`the namespaces ${kv.join(', ')}`] : []),
  ];
  return words.length === 0 ? 'nothing else' : words.join('; ');
}
