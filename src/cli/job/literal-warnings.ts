// Warns about variables such as `$HOME` in places of a valid job where no shell replaces them: in a command that is a
// list of words, and in the paths of `permissions`.

import { basename } from 'node:path';
import type { JobDefinition, JobError } from '../../domain/job.ts';
import { placeOf } from './config-place.ts';

/** A word such as `${source}` or `$HOME/x`. A word with spaces or quotes is probably code for the program. */
const withVariable = /^[\w./:=,@+-]*\$(?:\{\w+\}|[A-Za-z_]\w*)[\w./:=,@+${}-]*$/;
/** These programs evaluate such a word themselves. */
const evaluates = /^(?:(?:ba|da|fi|k|pw|s|z)?sh|[gm]?awk|envsubst|jq|perl|php|ruby|sed)$/;

/** @param dir the job's folder */
export function literalWarnings({ steps, composition, permissions }: JobDefinition, dir: string): JobError[] {
  const ofCommands = steps.flatMap(({ action }, at) => {
    if (action.kind !== 'command' || action.command.some((word) => evaluates.test(basename(word)))) return [];
    const found = action.command.findIndex((word) => withVariable.test(word));
    if (found === -1) return [];
    const path = composition === 'steps' ? ['steps', at, 'command'] : ['command'];
    const message = `no shell replaces the variable in ${action.command[found]}: put the command into a script, or use [bash, -c, …]`;
    return [{ ...placeOf(dir, path), message }];
  });
  const ofPaths = (['read', 'write'] as const).flatMap((kind) =>
    permissions[kind].flatMap((path, at) =>
      typeof path === 'string' && withVariable.test(path)
        ? [
            {
              ...placeOf(dir, ['permissions', kind, at]),
              message: `no shell replaces the variable in ${path}: write the path itself`,
            },
          ]
        : [],
    ),
  );
  return [...ofCommands, ...ofPaths];
}
