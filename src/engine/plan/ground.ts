// Checks a plan against one host: whether and how the host can do what policy allows. A server that runs jobs itself
// does this in the request that creates the run.

import { realpath, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type CatalogEntry, findReached } from '../../catalog/catalog.ts';
import { createErrorList, type ErrorList } from '../../domain/error-list.ts';
import { chooseHostMemory, isInPaths, isShownToAll, outsideRefusal } from '../../domain/policy.ts';
import { Problem, type ValidationError, validationError } from '../../domain/problem.ts';
import { type Resources, type RunLimits, shownLimits } from '../../domain/resources.ts';
import type { Grant, Isolation, RunAs } from '../../domain/run.ts';
import type { Executor, ProfileReport } from '../../exec/executor.ts';
import { namesOthersHome, othersHome, withHome } from '../../lib/files/home-path.ts';
import { ownHome } from '../../lib/files/own-user.ts';
import { shellWord } from '../../lib/shell-word.ts';
import { type GrantedPath, withGrants } from './decision.ts';
import { createDenials, type Denials } from './denials.ts';
import { type Before, type Plan, type PlanRequest, type PolicyContext, planRun, type WantedPath } from './plan.ts';

/** The host that would run the job. */
export type Host = {
  readonly executor: Pick<Executor, 'report' | 'isolation' | 'findUser'>;
  /** Full paths with links followed. A job may be granted access below them. */
  readonly paths: readonly string[];
  /** Real paths of the server's own files, which are never granted. */
  readonly masked: () => readonly string[];
};

/** What a run would be on this host. `denied` says why it would not start. */
export type GroundedPlan = Plan & {
  readonly isSandboxed: boolean;
  readonly isolation: Isolation;
  readonly runAs: RunAs | null;
  readonly limits: RunLimits;
  /** Full host paths with links followed. */
  readonly read: readonly string[];
  readonly write: readonly string[];
  /** By argument: the paths that arguments name, with links followed. */
  readonly resolvedArgs: Readonly<Record<string, string>>;
  readonly grants: readonly Grant[];
  readonly denied: Problem | null;
};

export type PlanContext = PolicyContext & { readonly host: Host };

/**
 * @throws Problem not-ready, job-not-found, job-invalid, validation-error. Everything else that denies the run is in
 * `denied`.
 */
export async function resolvePlan(request: PlanRequest, o: PlanContext): Promise<GroundedPlan> {
  const { job_id: id, source } = request;
  const entry = findReached(id, request.by ?? {}, o.catalog);
  if (source !== undefined && source.name !== entry.source.name)
    throw new Problem('job-not-found', `The job '${id}' is not in the source '${source.name}'.`);
  return resolveEntry(entry, request, o);
}

/**
 * Like `resolvePlan`, for a revision of the job that the catalog may no longer have. `before` are the secrets of the
 * earlier run.
 */
export async function resolveEntry(
  entry: CatalogEntry,
  request: PlanRequest,
  o: PlanContext,
  before?: Before,
): Promise<GroundedPlan> {
  return ground(await planRun(entry, request, o, before), o.host);
}

/**
 * @throws Problem validation-error when a path that the plan asks for does not exist and nothing else denies the run
 */
export async function ground(plan: Plan, host: Host): Promise<GroundedPlan> {
  const { profile, network, kv } = plan;
  const report = host.executor.report(profile);
  const denials = createDenials(plan.denials);
  const resources = limitMemory(plan, report, denials);
  const { granted, resolvedArgs } = await groundPaths(plan, host, denials);
  refuseIsolation(plan, report, denials);
  const runAs = await groundUser(plan, host, denials);
  const paths = (kind: WantedPath['kind']) => granted.filter((one) => one.kind === kind).map(({ path }) => path);
  const grants: Grant[] = [
    ...(profile === 'secure' && network === 'all' ? [{ kind: 'network' } as const] : []),
    ...granted.map(({ kind, shown }) => ({ kind, path: shown })),
    ...kv.read.map((namespace) => ({ kind: 'kv_read', namespace }) as const),
    ...kv.write.map((namespace) => ({ kind: 'kv_write', namespace }) as const),
  ];
  return {
    ...plan,
    resources,
    isSandboxed: report.isSandboxed,
    isolation: host.executor.isolation(profile, network, runAs),
    runAs,
    limits: shownLimits(resources, report.limits, plan.entry.definition.logs.maxSizeBytes),
    read: paths('read'),
    write: paths('write'),
    resolvedArgs,
    // Nothing is granted under a profile that is not allowed.
    grants: plan.isProfileAllowed ? grants : [],
    decision: withGrants(plan.decision, {
      profile,
      network,
      kv,
      source: plan.entry.source,
      granted,
      runAs,
      roots: host.paths,
    }),
    denied: denials.found[0] ?? null,
  };
}

function limitMemory({ profile, resources, ceilings }: Plan, report: ProfileReport, denials: Denials): Resources {
  const hostBytes = report.defaultMemoryBytes;
  if (ceilings.memoryBytes !== null || hostBytes === null) return resources;
  return denials.orElse(
    () => ({ ...resources, memoryBytes: chooseHostMemory({ profile, askedBytes: resources.memoryBytes, hostBytes }) }),
    { ...ceilings, memoryBytes: hostBytes },
  );
}

async function groundPaths(plan: Plan, host: Host, denials: Denials) {
  const { wantedPaths, leave } = plan;
  const errors = createErrorList();
  const granted: GrantedPath[] = [];
  const resolvedArgs: Record<string, string> = {};
  const outside = new Set<string>();
  const masked = wantedPaths.length > 0 ? host.masked() : [];
  const mayHave = ({ kind, shown }: WantedPath, path: string): boolean =>
    denials.orElse(() => {
      const isInside = isInPaths(kind, path, shown, { ...leave, paths: host.paths, masked });
      if (!isInside) outside.add(shown);
      return isInside;
    }, false);
  for (const wanted of wantedPaths) {
    const found = await lookUp(wanted, plan.entry.source.path, errors);
    if (!found) continue;
    const { asked, path } = found;
    // A path that an argument names is resolved for the script even if it needs no grant.
    const isWider = !isShownToAll(plan.profile, wanted.kind, path ?? asked);
    if (path === undefined) {
      // A path outside the granted roots is refused with the same error whether it exists or not.
      if (isWider) mayHave(wanted, asked);
      errors.add(missingPath(wanted, wantedPaths));
      continue;
    }
    if (wanted.arg !== null) resolvedArgs[wanted.arg] = path;
    if (!isWider || !mayHave(wanted, path)) continue;
    if (await isFolderOrFile(path)) granted.push({ kind: wanted.kind, shown: wanted.shown, path });
    else denials.add(new Problem('grant-not-allowed', `'${wanted.shown}' is neither a folder nor a regular file.`));
  }
  // All paths are refused at once, so that the operator need not restart the server once for each path.
  if (outside.size > 0) denials.add(outsideRefusal([...outside]));
  if (errors.size > 0 && denials.found.length === 0) throw validationError(errors.errors(), errors.size);
  return { granted, resolvedArgs };
}

/** Returns the path as asked for, and with links followed; undefined when it names another user's home. */
async function lookUp(wanted: WantedPath, sourcePath: string, errors: ErrorList) {
  const { shown } = wanted;
  if (namesOthersHome(shown)) {
    errors.add({ pointer: pointerOf(wanted), message: `'${shown}' ${othersHome}`, keyword: 'path' });
    return undefined;
  }
  const asked = resolve(sourcePath, withHome(shown, ownHome()));
  return { asked, path: await realpath(asked).catch(() => undefined) };
}

function refuseIsolation({ profile, network }: Plan, report: ProfileReport, denials: Denials): void {
  if (!report.isSandboxed && network === 'none') {
    denials.add(
      new Problem(
        'isolation-unavailable',
        'This host has no bubblewrap. Without it, a run cannot be cut off from the network, which ' +
          "the job's permissions.network asks for: install bubblewrap, or set network: all.",
      ),
    );
  }
  if (!report.available) {
    const detail = `This host cannot enforce '${profile}': ${report.detail ?? 'unknown'}`;
    denials.add(new Problem('isolation-unavailable', detail));
  }
}

async function groundUser({ user, profile }: Plan, { executor }: Host, denials: Denials): Promise<RunAs | null> {
  if (user === null) return null;
  const found = await executor.findUser(user, profile);
  if (typeof found !== 'string') return found;
  denials.add(new Problem('isolation-unavailable', `The job runs as the user '${user}' (run_as), but ${found}.`));
  return null;
}

/** A device, a pipe or a socket gives access to more than its path. */
async function isFolderOrFile(path: string): Promise<boolean> {
  try {
    const stats = await stat(path);
    return stats.isDirectory() || stats.isFile();
  } catch {
    return false;
  }
}

function missingPath(wanted: WantedPath, all: readonly WantedPath[]): ValidationError {
  const { shown, arg } = wanted;
  // A job may ask to read and to write the path in an argument. Both then have the same message, reported once.
  const isWritten = all.some((one) => one.kind === 'write' && one.arg === arg);
  const missing = `'${shown}' does not exist on this host`;
  const message =
    arg === null
      ? `the job asks for '${shown}' under permissions, but this host has no such file or folder: create it first`
      : isWritten
        ? `${missing}: create it first (a folder with \`mkdir -p ${shellWord(shown)}\`), or let the job write to a folder above it`
        : missing;
  return { pointer: pointerOf(wanted), message, keyword: 'path' };
}

function pointerOf({ arg }: WantedPath): string {
  return arg === null ? '/job_id' : `/args/${arg.replaceAll('~', '~0').replaceAll('/', '~1')}`;
}
