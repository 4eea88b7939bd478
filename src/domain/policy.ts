// Decides which security profile a run gets, what it may use beyond the profile, and what jobs of an untrusted source
// may use (ADR 0065). These functions do not read the disk, so callers must resolve paths first and follow all links.

import { formatSize } from '../lib/units.ts';
import type { Network, SecurityProfile } from './job.ts';
import type { KvPermissions } from './kv.ts';
import type { StoredText } from './notification.ts';
import { Problem } from './problem.ts';
import type { Resources } from './resources.ts';
import { unlessThere } from './unless-there.ts';

/** From the strictest to the loosest. */
const profiles: readonly SecurityProfile[] = ['secure', 'permissive', 'disabled'];

export type GrantKind = 'network' | 'read' | 'write' | 'kv';

/** What a run may use beyond its profile. */
export type Leave = {
  readonly profile: SecurityProfile;
  readonly mayGrant: readonly GrantKind[];
  readonly trusted: boolean;
};

/** Every secure sandbox can read these folders, so a job needs no permission for them. */
const systemPaths = [
  '/usr',
  '/bin',
  '/sbin',
  '/lib',
  '/lib64',
  '/etc/ssl',
  '/etc/ca-certificates',
  '/etc/alternatives',
];

/** Every sandbox mounts its own files here. So a job cannot get a host folder that contains this path. */
const ownOfSandbox = '/run/flwd';

type Wanted = {
  readonly job: SecurityProfile | null;
  readonly instance: SecurityProfile;
  readonly requested: SecurityProfile | undefined;
};

/**
 * Returns the profile that a run asks for, even if it is not allowed. This is the caller's choice, or else the job's,
 * or else the instance's default.
 */
export function wantedProfile({ job, instance, requested }: Wanted): SecurityProfile {
  return requested ?? job ?? instance;
}

/**
 * Returns the profile of a run: the profile of the job or, without one, the instance's default. The caller may choose a
 * stricter one.
 * @throws Problem profile-not-allowed
 */
export function chooseProfile(
  o: Wanted & { readonly allowed: readonly SecurityProfile[]; readonly trusted: boolean },
): SecurityProfile {
  const base = o.job ?? o.instance;
  const chosen = wantedProfile(o);
  if (profiles.indexOf(chosen) > profiles.indexOf(base)) {
    throw new Problem(
      'profile-not-allowed',
      `The job runs in the profile '${base}'. A request may ask for a stricter profile, but '${chosen}' is looser.`,
    );
  }
  if (!o.allowed.includes(chosen)) {
    throw new Problem(
      'profile-not-allowed',
      `This instance allows the profiles ${o.allowed.join(', ')}, but not '${chosen}': add it to security.allow_profiles in flwd.yaml, ${unlessThere}.`,
    );
  }
  // Any other profile gives a job more access than a job of an untrusted source may have.
  if (!o.trusted && chosen !== 'secure') {
    throw new Problem(
      'profile-not-allowed',
      `The job's source is not trusted (trusted: false in flwd.yaml), so its jobs can only run as 'secure', and this one would run as '${chosen}'.`,
    );
  }
  return chosen;
}

export function tighterProfile(a: SecurityProfile, b: SecurityProfile): SecurityProfile {
  return profiles.indexOf(a) < profiles.indexOf(b) ? a : b;
}

/** Returns the network of a run. @throws Problem grant-not-allowed */
export function chooseNetwork(o: Leave & { readonly asked: Network | null }): Network {
  if (o.profile !== 'secure') return o.asked ?? 'all';
  if (o.asked !== 'all') return 'none';
  requireGrant('network', 'the network', o);
  return 'all';
}

/**
 * Returns the namespaces of the key-value store that a run may use besides its job's own.
 * @throws Problem grant-not-allowed, source-untrusted
 */
export function chooseKv({
  asked,
  job,
  source,
  ...leave
}: Leave & { readonly asked: KvPermissions; readonly job: string; readonly source: UsingSource }): KvPermissions {
  for (const namespace of [...asked.read, ...asked.write]) {
    const refusal = kvRefusal(job, source, namespace);
    if (refusal) throw refusal;
    requireListed('kv', `the namespace '${namespace}' of the key-value store`, leave);
  }
  return asked;
}

/** Returns the host user that a job runs as; null if the job names no user. @throws Problem grant-not-allowed */
export function chooseUser(o: {
  readonly asked: string | null;
  readonly allowed: readonly string[];
  readonly trusted: boolean;
}): string | null {
  if (o.asked === null) return null;
  const wish = `The job runs as the user '${o.asked}' (run_as)`;
  if (!o.trusted)
    throw new Problem('grant-not-allowed', `${wish}, but its source is not trusted (trusted: false in flwd.yaml).`);
  if (o.asked === 'root') {
    const instead = 'remove run_as, and use security_profile: disabled, which runs as the user of the server';
    throw new Problem('grant-not-allowed', `${wish}, which no instance allows: ${instead}.`);
  }
  if (!o.allowed.includes(o.asked)) {
    const fix = `remove run_as, or add the user to security.run_as in flwd.yaml, ${unlessThere}`;
    throw new Problem('grant-not-allowed', `${wish}, which this instance does not allow: ${fix}.`);
  }
  return o.asked;
}

/**
 * Returns the limits of a run. They are the limits that the job asks for or, where it asks for nothing, the instance's
 * default. The default is also the most that a job may ask for.
 * @throws Problem grant-not-allowed
 */
export function chooseResources(o: {
  readonly profile: SecurityProfile;
  readonly asked: Resources;
  readonly ceilings: Resources;
}): Resources {
  const choose = (member: keyof Resources, name: string, show: (amount: number) => string): number | null => {
    const asked = o.asked[member];
    const ceiling = o.ceilings[member];
    if (asked !== null && ceiling !== null && asked > ceiling)
      throw tooMuch(name, show(asked), `${settingOf(o.profile, name)} is ${show(ceiling)}.`);
    return asked ?? ceiling;
  };
  return {
    cpu: choose('cpu', 'cpu', String),
    memoryBytes: choose('memoryBytes', 'memory', formatSize),
    pids: choose('pids', 'pids', String),
    workspaceBytes: choose('workspaceBytes', 'workspace', formatSize),
  };
}

/**
 * Returns the memory limit of a run for which the instance sets no limit. The host's limit is then the most that a job
 * may ask for.
 * @throws Problem grant-not-allowed
 */
export function chooseHostMemory(o: {
  readonly profile: SecurityProfile;
  readonly askedBytes: number | null;
  readonly hostBytes: number;
}): number {
  const { askedBytes, hostBytes } = o;
  if (askedBytes === null || askedBytes <= hostBytes) return askedBytes ?? hostBytes;
  const setting = settingOf(o.profile, 'memory');
  const limit = `this host allows a run at most ${formatSize(hostBytes)}; ${setting} sets another limit.`;
  throw tooMuch('memory', formatSize(askedBytes), limit);
}

function settingOf(profile: SecurityProfile, name: string): string {
  return `security.profiles.${profile}.resources.${name}`;
}

function tooMuch(name: string, asked: string, limit: string): Problem {
  return new Problem(
    'grant-not-allowed',
    `The job asks for ${name} of ${asked} in permissions.resources, but ${limit}`,
  );
}

type PathLeave = Leave & { readonly paths: readonly string[]; readonly masked: readonly string[] };

/**
 * Checks one path that a job wants to read or write beyond its profile.
 * @param path absolute and resolved
 * @param shown the path as the author or caller wrote it, for messages
 * @throws Problem grant-not-allowed
 */
export function checkPath(kind: 'read' | 'write', path: string, shown: string, o: PathLeave): void {
  if (!isInPaths(kind, path, shown, o)) throw outsideRefusal([shown]);
}

/**
 * Like `checkPath`, but returns false if the only reason to refuse the path is that it is not in `security.paths`. The
 * caller can then refuse several paths at once.
 * @throws Problem grant-not-allowed
 */
export function isInPaths(kind: 'read' | 'write', path: string, shown: string, o: PathLeave): boolean {
  const conflict = grantConflict(kind, path, o.masked);
  if (conflict === 'inside') {
    throw new Problem('grant-not-allowed', `'${shown}' belongs to the server itself, so no job may see it.`);
  }
  if (kind === 'read' && systemPaths.some((root) => isBelow(path, root))) return true;
  requireGrant(kind, `'${shown}'`, o);
  const isInside = o.paths.some((root) => isBelow(path, root));
  // If the caller may not have the path, the check uses the path as the caller wrote it. The resolved path would reveal
  // where a link leads.
  if (holdsOwnOfSandbox(isInside ? path : shown))
    throw new Problem('grant-not-allowed', `'${shown}' cannot be granted as a whole: name the folders in it.`);
  if (!isInside) return false;
  // This check is the last one, so a caller who may not have the path does not learn what the folder contains.
  if (conflict === 'above') {
    throw new Problem(
      'grant-not-allowed',
      `'${shown}' must not be writable by a job, because it contains files of the server itself.`,
    );
  }
  return true;
}

/** Whether a path contains the folder that a sandbox needs for itself. No job can get such a path as a whole. */
export function holdsOwnOfSandbox(path: string): boolean {
  return isBelow(ownOfSandbox, tidied(path));
}

const startsAtRoot =
  " A relative path starts at the root of the job's source; to name a folder elsewhere, give its full path.";

/** Returns the error for paths that no folder of `security.paths` contains. */
export function outsideRefusal(shown: readonly string[]): Problem {
  const entries = shown.filter((path) => /^~?\//.test(path)).map(asEntry);
  const others = entries.length > 0 ? 'the folders that contain the others' : 'the folders that contain them';
  const fixes = [
    ...(entries.length > 0 ? [`security: {paths: [${entries.join(', ')}]}`] : []),
    ...(entries.length < shown.length ? [shown.length === 1 ? 'the folder that contains it' : others] : []),
  ];
  const are = shown.length === 1 ? 'is' : 'are';
  return new Problem(
    'grant-not-allowed',
    `${quoted(shown)} ${are} not below any folder in security.paths: add ${fixes.join(' and ')} to flwd.yaml, ${unlessThere}.` +
      (entries.length < shown.length ? startsAtRoot : ''),
  );
}

/** Writes the path as an item of a YAML list, with quotes if it needs them. */
function asEntry(path: string): string {
  return /^~?[\w./-]+$/.test(path) ? path : JSON.stringify(path);
}

/**
 * Says how a path conflicts with the server's own paths; undefined if there is no conflict. A job must not see the
 * server's own paths. If a job could write to a folder that contains such a path, the job could replace the path, or
 * move it away from the mount that hides it.
 */
export function grantConflict(
  kind: 'read' | 'write',
  path: string,
  masked: readonly string[],
): 'inside' | 'above' | undefined {
  if (masked.some((own) => isBelow(path, own))) return 'inside';
  return kind === 'write' && masked.some((own) => isBelow(own, path)) ? 'above' : undefined;
}

/**
 * Returns the entry of `security.paths` that contains a granted path; `system` if every secure sandbox can read the
 * path.
 */
export function rootOf(path: string, kind: GrantKind, roots: readonly string[]): string | undefined {
  if (kind === 'read' && systemPaths.some((root) => isBelow(path, root))) return 'system';
  return roots.find((root) => isBelow(path, root));
}

/** The folders for which a permissive job has a version of its own instead of the host's. */
const ownOfPermissive = ['/dev', '/proc', '/run', '/tmp'];

/** Whether every job of the profile can read a path of the host or, if `kind` is `write`, write to it. */
export function isShownToAll(profile: SecurityProfile, kind: 'read' | 'write', path: string): boolean {
  if (profile !== 'permissive') return profile === 'disabled';
  return kind === 'read' && !ownOfPermissive.some((root) => isBelow(path, root));
}

/** Removes redundant slashes and dots: `/run/.` becomes `/run`. */
function tidied(path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  return path.startsWith('/') ? `/${parts.join('/')}` : path;
}

function isBelow(path: string, root: string): boolean {
  return path === root || root === '/' || path.startsWith(`${root}/`);
}

function requireGrant(kind: GrantKind, what: string, o: Leave): void {
  if (!o.trusted) throw new Problem('grant-not-allowed', `The job asks for ${what}, but its source is not trusted.`);
  requireListed(kind, what, o);
}

function requireListed(kind: GrantKind, what: string, o: Leave): void {
  if (!o.mayGrant.includes(kind)) {
    throw new Problem(
      'grant-not-allowed',
      `The job asks for ${what}, but security.profiles.${o.profile}.may_grant does not list '${kind}'.`,
    );
  }
}

/** What flwd.yaml lets the jobs of an untrusted source use. */
export type SourceUse = {
  /** The names of stored secrets. */
  readonly secrets: readonly string[];
  readonly schedules: boolean;
  /** Whether webhooks may start runs. */
  readonly webhooks: boolean;
  readonly notify: boolean;
  /** The sources whose jobs this source's jobs may start. */
  readonly calls: 'own' | 'all' | readonly string[];
  /**
   * The sources that this source's triggers may follow. When a run of one of those sources ends, a job of this source
   * starts.
   */
  readonly triggers: 'own' | 'all' | readonly string[];
  /** The namespaces of the key-value store that a job may use besides its own. */
  readonly kv: readonly string[];
};

export type UsingSource = {
  readonly name: string;
  readonly trusted: boolean;
  /** If it is missing, the jobs may use nothing. */
  readonly mayUse?: SourceUse;
};

const nothing: SourceUse = {
  secrets: [],
  schedules: false,
  webhooks: false,
  notify: false,
  calls: 'own',
  triggers: 'own',
  kv: [],
};

/** Returns what the jobs of the source may use; null means everything. */
export function useOf({ trusted, mayUse = nothing }: UsingSource): SourceUse | null {
  return trusted ? null : mayUse;
}

// The jobs of a trusted source may use everything that policy allows. Each of the following functions returns the
// reason why a job of an untrusted source may not do something, or undefined if it may.

export function secretsRefusal(job: string, source: UsingSource, names: Iterable<string>): Problem | undefined {
  const use = useOf(source);
  const missing = use ? [...new Set(names)].filter((name) => !use.secrets.includes(name)).toSorted() : [];
  if (missing.length === 0) return undefined;
  const what = missing.length === 1 ? `the stored secret '${missing[0]}'` : `the stored secrets ${quoted(missing)}`;
  return refusal(`The job '${job}' would get ${what}`, source, `add ${quoted(missing)} to the \`secrets\` of`);
}

/** @param has the words that follow `has` in the message, such as `a trigger with a check` */
export function scheduleRefusal(job: string, source: UsingSource, has = 'a schedule'): Problem | undefined {
  if (useOf(source)?.schedules !== false) return undefined;
  return refusal(`The job '${job}' has ${has}`, source, 'set `schedules: true` for');
}

/**
 * A schedule with a heartbeat calls an address after each success, so it needs the same permissions as a notification.
 */
export function heartbeatRefusal(
  job: string,
  source: UsingSource,
  heartbeat: StoredText | undefined,
): Problem | undefined {
  if (heartbeat === undefined) return undefined;
  if (useOf(source)?.notify === false)
    return refusal(`A schedule of the job '${job}' calls an address (heartbeat)`, source, 'set `notify: true` for');
  return typeof heartbeat === 'string' ? undefined : secretsRefusal(job, source, [heartbeat.secret]);
}

/**
 * @param keys the names of the stored secrets with which deliveries are signed. The message does not contain them,
 * because the sender of a delivery must not learn them.
 */
export function webhookRefusal(job: string, source: UsingSource, keys: readonly string[]): Problem | undefined {
  const what = `The job '${job}' has a webhook`;
  const use = useOf(source);
  if (use?.webhooks === false) return refusal(what, source, 'set `webhooks: true` for');
  if (!use || keys.every((name) => use.secrets.includes(name))) return undefined;
  return refusal(what, source, "add the webhook's `secret` to the `secrets` of");
}

export function notifyRefusal(
  { id, notify }: { readonly id: string; readonly notify: readonly unknown[] },
  source: UsingSource,
): Problem | undefined {
  if (notify.length === 0 || useOf(source)?.notify !== false) return undefined;
  return refusal(`The job '${id}' sends notifications (notify)`, source, 'set `notify: true` for');
}

/** @param called the job that a step of `job` starts */
export function callRefusal(
  job: string,
  source: UsingSource,
  called: { readonly id: string; readonly source: string },
): Problem | undefined {
  const { calls = 'all' } = useOf(source) ?? {};
  if (calls === 'all' || called.source === source.name) return undefined;
  if (calls !== 'own' && calls.includes(called.source)) return undefined;
  const what = `The job '${job}' starts '${called.id}' of the source '${called.source}'`;
  return refusal(what, source, `add '${called.source}' to the \`calls\` of`);
}

/** @param followed the job whose runs start `job` when they end. `job` sees the arguments and results of these runs. */
export function triggerRefusal(
  job: string,
  source: UsingSource,
  followed: { readonly id: string; readonly source: string },
): Problem | undefined {
  const { triggers = 'all' } = useOf(source) ?? {};
  if (triggers === 'all' || followed.source === source.name) return undefined;
  if (triggers !== 'own' && triggers.includes(followed.source)) return undefined;
  const what = `The job '${job}' has a trigger that follows '${followed.id}' of the source '${followed.source}'`;
  return refusal(what, source, `add '${followed.source}' to the \`triggers\` of`);
}

function kvRefusal(job: string, source: UsingSource, namespace: string): Problem | undefined {
  if (useOf(source)?.kv.includes(namespace) !== false) return undefined;
  const what = `The job '${job}' asks for the namespace '${namespace}' of the key-value store`;
  return refusal(what, source, `add '${namespace}' to the \`kv\` of`);
}

function refusal(what: string, { name }: UsingSource, fix: string): Problem {
  const message = `${what}, but its source '${name}' is not trusted: ${fix} the source in flwd.yaml, and restart the server.`;
  return new Problem('source-untrusted', message);
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `'${name}'`).join(', ');
}
