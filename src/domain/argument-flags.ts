// The names of a job's arguments on the command line: `--keep.days`, `--no-dry`. The console uses them in the commands
// that it offers to copy.

import type { ArgumentField } from './argument-fields.ts';

/** The options of `flwd run` itself. An argument with the name of an option needs the prefix `--args.`. */
const ofRun: ReadonlySet<string> = new Set([
  'args',
  'args-file',
  'config',
  'data-dir',
  'detach',
  'help',
  'idempotency-key',
  'jobs',
  'json',
  'label',
  'priority',
  'quiet',
  'remote',
  'security-profile',
  'tenant',
  'verbose',
]);

type Named = Pick<ArgumentField, 'path'>;

/** The flag as the user types it: `--keep.days`, or `--args.json` if `flwd run` has an option `--json`. */
export function flagOf(field: Named): string {
  return flag(field, '');
}

/** The flag that sets a boolean to false: `--no-dry`. */
export function negatedFlagOf(field: Named): string {
  return flag(field, 'no-');
}

function flag(field: Named, negation: '' | 'no-'): string {
  return `--${isNamedAsOption(field) ? 'args.' : ''}${negation}${field.path.join('.')}`;
}

export function isNamedAsOption({ path }: Named): boolean {
  return ofRun.has(path.join('.'));
}
