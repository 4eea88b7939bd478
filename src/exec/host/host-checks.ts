// Checks one by one what this host can enforce, for `flwd doctor` and GET /system/info. host.ts decides by running each
// profile's real command. These checks explain why a command fails.

import { access, constants, stat, statfs } from 'node:fs/promises';
import { release } from 'node:os';
import { fail, type HostCheck, ok, warn } from '../../domain/host-check.ts';
import type { SecurityProfile } from '../../domain/job.ts';
import { errorCode } from '../../lib/error-code.ts';
import { findLackOfRoom } from '../../lib/files/disk-room.ts';
import { formatSize } from '../../lib/units.ts';
import type { Capabilities, Capability } from '../executor.ts';
import { isServerRoot } from '../job-user.ts';
import { securityProfiles } from './host.ts';
import {
  checkCgroups,
  checkInotify,
  checkLandlock,
  checkModules,
  checkSeccomp,
  checkUserNamespaces,
} from './host-kernel.ts';
import { checkPrograms } from './host-program-checks.ts';
import { findUser } from './host-users.ts';
import { type CallerChoice, checkNetwork } from './network-check.ts';

export type ProfileChoice = {
  readonly defaultProfile: SecurityProfile;
  readonly allowProfiles: readonly SecurityProfile[];
  /** Users of the host that jobs may run as. */
  readonly runAs: readonly string[];
};

/** The results contain no path of the host. */
export async function checkHost(
  probing: Capabilities | Promise<Capabilities>,
  choice: ProfileChoice,
  callers: CallerChoice,
): Promise<HostCheck[]> {
  const [profiles, programs, namespaces, seccomp, landlock, modules, inotify, users] = await Promise.all([
    probing,
    checkPrograms(choice.defaultProfile !== 'disabled'),
    checkUserNamespaces(),
    checkSeccomp(),
    checkLandlock(),
    checkModules(),
    checkInotify(),
    Promise.all(choice.runAs.map(checkUser)),
  ]);
  return [
    process.platform === 'linux'
      ? ok('platform', `Linux ${release()}, ${process.arch}`)
      : fail('platform', process.platform, 'start flwd on Linux: in a virtual machine, WSL 2 or a container'),
    ok('node', process.version),
    isServerRoot
      ? ok('user', 'root: jobs run as uid 65534 without capabilities, disabled ones as root')
      : ok('user', `uid ${process.getuid?.()}: jobs run as the same user, in a user namespace`),
    ...users,
    ...programs,
    namespaces,
    seccomp,
    landlock,
    modules,
    checkCgroups(),
    inotify,
    checkNetwork(callers),
    ...securityProfiles.map((profile) => checkProfile(profile, profiles[profile], choice)),
  ];
}

async function checkUser(user: string): Promise<HostCheck> {
  const name = `run_as ${user}`;
  const found = await findUser(user, 'secure');
  if (typeof found !== 'string') return ok(name, `jobs may run as uid ${found.uid}, with its groups`);
  return warn(name, `no job can run as this user: ${found}`, `remove ${user} from security.run_as, or create the user`);
}

function checkProfile(
  profile: SecurityProfile,
  { available, detail }: Capability,
  { defaultProfile, allowProfiles }: ProfileChoice,
): HostCheck {
  const name = `profile ${profile}`;
  const what = profile === defaultProfile ? 'the default' : allowProfiles.includes(profile) ? 'allowed' : 'not allowed';
  if (available && detail !== null) {
    const state = `${what}; ${detail}`;
    return what === 'not allowed' ? ok(name, state) : warn(name, state, 'apt-get install bubblewrap');
  }
  if (available) return ok(name, `${what}; can be enforced`);
  const why = `${what}; cannot be enforced: ${detail ?? 'unknown'}`;
  return what === 'not allowed' ? warn(name, why, null) : fail(name, why, null);
}

const leastFreeBytes = 2 ** 30;

/** Whether the data dir can be used as it is. Only for its operator, because the result names the path. */
export async function checkDataDir(dataDir: string): Promise<HostCheck> {
  const name = 'data dir';
  try {
    const { mode, uid } = await stat(dataDir);
    await access(dataDir, constants.R_OK | constants.W_OK | constants.X_OK);
    const { bavail, bsize } = await statfs(dataDir);
    const freeBytes = bavail * bsize;
    const state = `${dataDir}, mode ${(mode & 0o777).toString(8)}, ${formatSize(freeBytes)} free`;
    if ((mode & 0o077) !== 0) return warn(name, `${state}: other users can open it`, `chmod 700 ${dataDir}`);
    if (uid !== process.getuid?.())
      return warn(name, `${state}: it belongs to another user (uid ${uid})`, 'run flwd as its owner');
    const found = findLackOfRoom(dataDir);
    if (found) return fail(name, `${state}: ${found.lack}, so no run starts`, found.fix);
    if (freeBytes < leastFreeBytes) return warn(name, `${state}: little room`, 'run flwd gc, or add disk space');
    return ok(name, state);
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT') return ok(name, `${dataDir} does not exist yet; the first start creates it`);
    if (code === 'EACCES') return fail(name, `${dataDir} cannot be used by this user`, 'run flwd as its owner');
    throw error;
  }
}
