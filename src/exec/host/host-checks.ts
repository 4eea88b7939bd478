// Checks one by one what this host can enforce, for `flwd doctor` and GET /system/info. host.ts decides whether a
// profile works, by running its real command. These checks explain why the command fails.

import { release } from 'node:os';
import { fail, type HostCheck, ok, warn } from '../../domain/host-check.ts';
import type { SecurityProfile } from '../../domain/job.ts';
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
      ? ok('user', 'root: jobs run as uid 65534 without capabilities, but as root with the profile disabled')
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
