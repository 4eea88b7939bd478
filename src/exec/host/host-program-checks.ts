// Checks that the programs that flwd and its jobs need are installed and new enough.

import { execFile } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fail, type HostCheck, ok, warn } from '../../domain/host-check.ts';
import { systemPath } from '../../lib/system-path.ts';
import { isServerRoot } from '../job-user.ts';
import { findProgram } from './host-programs.ts';

/** The first version of bubblewrap with all options that the sandbox uses. */
const leastBubblewrap = [0, 8] as const;
/** S_ISUID of stat(2). */
const setuid = 0o4000;

/** `isNeeded` says whether the default profile needs bubblewrap. */
export async function checkPrograms(isNeeded: boolean): Promise<HostCheck[]> {
  return [
    await checkBubblewrap(isNeeded),
    findProgram('bash')
      ? ok('bash', 'starts every job')
      : fail('bash', 'not installed; it starts every job', 'apt-get install bash'),
    checkSetpriv(),
    findProgram('prlimit')
      ? ok('prlimit', 'limits runs when there are no cgroups')
      : warn('prlimit', 'not installed; without cgroups, runs have no limits', 'apt-get install util-linux'),
    checkInterpreter('python3', 'Python', 'apt-get install python3'),
  ];
}

async function checkBubblewrap(isNeeded: boolean): Promise<HostCheck> {
  const name = 'bubblewrap';
  const path = findProgram('bwrap');
  if (!path)
    return (isNeeded ? fail : warn)(
      name,
      'not installed; without it jobs can only run with the profile disabled, if the operator allows it',
      'apt-get install bubblewrap',
    );
  const said = await promisify(execFile)(path, ['--version'], { env: {} }).then(
    ({ stdout }) => stdout,
    () => '',
  );
  const [, version = '', major = '0', minor = '0'] = /((\d+)\.(\d+)\S*)/.exec(said) ?? [];
  if (version === '') return warn(name, 'does not print its version', null);
  const [leastMajor, leastMinor] = leastBubblewrap;
  if (Number(major) === leastMajor && Number(minor) < leastMinor)
    return fail(name, `${version}; too old`, `install bubblewrap ${leastBubblewrap.join('.')} or newer`);
  if ((statSync(path).mode & setuid) !== 0 && !isServerRoot)
    return fail(
      name,
      `${version}, setuid root, so it refuses a part of the sandbox`,
      'run chmod u-s on the program bwrap',
    );
  return ok(name, version);
}

function checkSetpriv(): HostCheck {
  const name = 'setpriv';
  if (!isServerRoot) return ok(name, 'not needed: the server does not run as root');
  if (!findProgram('setpriv'))
    return fail(
      name,
      'not installed; a server that runs as root needs it to run jobs as another user',
      'apt-get install util-linux',
    );
  return ok(name, 'runs jobs as uid 65534');
}

/** Looks in the PATH of jobs, which may differ from the server's. */
function checkInterpreter(program: string, language: string, fix: string): HostCheck {
  const isThere = systemPath.split(':').some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  return isThere
    ? ok(program, `runs scripts in ${language}`)
    : warn(program, `not in the PATH of jobs; scripts in ${language} cannot start`, fix);
}
