// A grant of a run in words, the same in every interface.

import type { AnswerOf } from '../contract/operations.ts';

/** For example `network`, `read /srv/data` or `kv write backup/daily`. */
export function grantText({ kind, path, namespace }: AnswerOf<'getRun'>['grants'][number]): string {
  return [kind.replace('_', ' '), path ?? namespace].filter(Boolean).join(' ');
}
