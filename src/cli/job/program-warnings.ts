// Warns about programs that a valid job starts and that this host does not have: the program of a command, and the one
// that the first line of a script names. The job is valid, because another host may run it.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { CommandAction } from '../../domain/command-action.ts';
import type { JobDefinition, JobError } from '../../domain/job.ts';
import { firstLineOf } from '../../lib/files/first-line.ts';
import { systemPath } from '../../lib/system-path.ts';
import type { YamlPath } from '../../lib/yaml/yaml-places.ts';
import { placeOf } from './config-place.ts';

/** @param dir the job's folder */
export function programWarnings({ steps, composition, securityProfile }: JobDefinition, dir: string): JobError[] {
  // A job in this profile has the PATH of the server.
  if (securityProfile === 'disabled') return [];
  return steps.flatMap(({ action }, at) =>
    action.kind === 'command'
      ? warningsOf(action, dir, composition === 'steps' ? ['steps', at, 'command'] : ['command'])
      : [],
  );
}

function warningsOf({ command: [program = ''], ulcProfile }: CommandAction, dir: string, path: YamlPath): JobError[] {
  const install = 'install it on the host that runs the job';
  if (!program.startsWith('./'))
    return isOnHost(program)
      ? []
      : [{ ...placeOf(dir, path), message: `this host has no program ${program}: ${install}` }];
  const interpreter = ulcProfile === 'ulc.exec' ? interpreterOf(firstLineOf(join(dir, program))) : undefined;
  if (interpreter === undefined || isOnHost(interpreter)) return [];
  const message = `the first line of the script names ${interpreter}, which this host does not have: ${install}`;
  return [{ file: program.slice('./'.length), line: 1, column: 1, message }];
}

/** `#!/usr/bin/ruby -w` → /usr/bin/ruby, and `#!/usr/bin/env -S ruby -w` → ruby; undefined without such a line. */
function interpreterOf(firstLine: string): string | undefined {
  // A script with Windows line endings has another warning.
  if (firstLine.endsWith('\r')) return undefined;
  return /^#!\s*(?:\S*\/env\s+(?:-\S+\s+|\w+=\S*\s+)*)?(\S+)/.exec(firstLine)?.[1];
}

function isOnHost(program: string): boolean {
  // The job's own folders have these paths only in the sandbox.
  if (/^\/(?:job|workspace)\//.test(program)) return true;
  if (program.includes('/')) return existsSync(program);
  return program.startsWith('flwd_') || systemPath.split(':').some((folder) => existsSync(join(folder, program)));
}
