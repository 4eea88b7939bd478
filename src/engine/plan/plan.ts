// From a request to a plan: the job, its checked arguments, the profile and grants it will run with, and what this
// version or host cannot do. Runs nothing and writes nothing.

import { realpath, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { resolve } from 'node:path';
import type { Catalog, CatalogEntry } from '../../catalog/catalog.ts';
import { evaluateExpression } from '../../catalog/expression/expression.ts';
import { ExpressionError } from '../../catalog/expression/expression-error.ts';
import type { AuditDetail } from '../../domain/audit.ts';
import { createErrorList } from '../../domain/error-list.ts';
import type { JobDefinition, JsonObject, Network, PathGrant, SecurityProfile } from '../../domain/job.ts';
import {
  checkPath,
  chooseNetwork,
  chooseProfile,
  chooseResources,
  type GrantKind,
  wantedProfile,
} from '../../domain/policy.ts';
import { Problem, type ValidationError, validationError } from '../../domain/problem.ts';
import { noResources, type Resources, type RunLimits, shownLimits } from '../../domain/resources.ts';
import type { Grant, Isolation } from '../../domain/run.ts';
import { defaultMemoryBytes, type LimitHost, reportOf } from '../../exec/host/limit-host.ts';
import { isSandboxed as getsSandbox, type HostReport, isolationOf } from '../../exec/sandbox/sandbox.ts';
import { namesOthersHome, othersHome, withHome } from '../../lib/files/home-path.ts';
import type { ConcurrencyGroup } from '../queue/concurrency-groups.ts';
import type { RunSecrets } from '../run/run-secrets.ts';
import { decisionOf } from './decision.ts';
import { checkRequestArguments } from './request-arguments.ts';
import { lookUpSecrets, type SecretLookup } from './secret-references.ts';
import { whatIsWrongWithSubRuns } from './sub-run-check.ts';

/** The body of POST /runs and POST /plans. */
export type RunRequest = {
  readonly job_id: string;
  readonly args?: JsonObject;
  readonly tenant?: string;
  readonly async?: boolean;
  readonly labels?: Readonly<Record<string, string>>;
  readonly priority?: number;
  readonly security_profile?: SecurityProfile;
};

/** One whose tenant is decided: its stored secrets are looked at. */
export type PlanRequest = RunRequest & { readonly tenant: string };

export type SecurityPolicy = {
  readonly defaultProfile: SecurityProfile;
  readonly allowProfiles: readonly SecurityProfile[];
  /** Absolute host paths below which a job may be granted more. */
  readonly paths: readonly string[];
  /** Real host paths that are never granted: the server's own files. */
  readonly masked: () => readonly string[];
  /** Whether the API takes jobs with the network for the operator. */
  readonly trustsJobs: boolean;
  readonly mayGrant: (profile: SecurityProfile) => readonly GrantKind[];
  /** What a run of the profile gets, and may ask for at most. */
  readonly resources: (profile: SecurityProfile) => Resources;
};

/** What a run of the request would be. `denied` is why it would not be started. */
export type ResolvedPlan = RunSecrets & {
  readonly entry: CatalogEntry;
  /** Defaults applied; secrets read `[redacted]`. */
  readonly args: JsonObject;
  /** Names of the stored secrets among them. */
  readonly storedSecrets: readonly string[];
  /** Arguments that are stored secrets → their names. */
  readonly storedArgs: Readonly<Record<string, string>>;
  /** Where it is denied, the one that was asked for. */
  readonly profile: SecurityProfile;
  readonly network: Network;
  readonly isSandboxed: boolean;
  readonly isolation: Isolation;
  readonly resources: Resources;
  readonly limits: RunLimits;
  /** Host paths, links and all; a relative one is below the source's folder. */
  readonly read: readonly string[];
  readonly write: readonly string[];
  readonly resolvedArgs: Readonly<Record<string, string>>;
  readonly grants: readonly Grant[];
  readonly group: ConcurrencyGroup;
  /** For the audit log. */
  readonly decision: AuditDetail;
  readonly denied: Problem | null;
};

const redacted = '[redacted]';
const noSecrets: RunSecrets = { secrets: new Map(), alsoRedacted: [] };
/** It is in the sentence that says why a run waits. */
const longestKeyChars = 256;

export type PlanContext = {
  readonly catalog: Catalog;
  readonly policy: SecurityPolicy;
  readonly host: HostReport;
  readonly limitHost: LimitHost;
  readonly storedSecret: SecretLookup;
};

/**
 * @throws Problem not-ready, job-not-found, job-invalid, validation-error. Everything that only stands in the way of
 * starting it is in `denied`.
 */
export async function resolvePlan(request: PlanRequest, o: PlanContext): Promise<ResolvedPlan> {
  return resolveEntry(o.catalog.find(request.job_id), request, o);
}

/** The same for a job that may be another than the catalogue has by now; `before` are the secrets of the run it follows. */
export async function resolveEntry(
  entry: CatalogEntry,
  request: PlanRequest,
  o: PlanContext,
  before: RunSecrets = noSecrets,
): Promise<ResolvedPlan> {
  const job = entry.definition;
  const errors = createErrorList();
  const asked = { tenant: request.tenant, lookUp: o.storedSecret, kept: before.secrets };
  const stored = await lookUpSecrets(job, request.args ?? {}, asked);
  const args = checkRequestArguments(job, stored.args, errors);
  if (errors.size > 0) throw validationError(errors.errors(), errors.size);
  const { open, secrets } = takeSecrets(args, job.secretArgs);
  for (const [name, value] of stored.ofEnvironment) secrets.set(name, value);

  const denials: Problem[] = [];
  const orDenied = <T>(decide: () => T, otherwise: T): T => {
    try {
      return decide();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      denials.push(error);
      return otherwise;
    }
  };

  refuseWhatComesLater(entry, denials);
  if (stored.denied) denials.push(stored.denied);
  const wrongSubRuns = whatIsWrongWithSubRuns(job, (id) => findJob(id, o.catalog));
  if (wrongSubRuns !== undefined)
    denials.push(new Problem('job-invalid', `The job '${job.id}' cannot run: ${wrongSubRuns}.`));
  const wanted = {
    job: job.securityProfile,
    instance: o.policy.defaultProfile,
    requested: request.security_profile,
  };
  const { trusted } = entry.source;
  const allowed = orDenied(() => chooseProfile({ ...wanted, allowed: o.policy.allowProfiles, trusted }), undefined);
  const profile = allowed ?? wantedProfile(wanted);
  const { paths: roots, masked, mayGrant } = o.policy;
  const leave = { profile, mayGrant: mayGrant(profile), trusted };
  const network = orDenied(() => chooseNetwork({ asked: job.permissions.network, ...leave }), 'none');
  const ceilings = o.policy.resources(profile);
  const defaults = { ...noResources, memoryBytes: defaultMemoryBytes(o.limitHost) };
  const resources = orDenied(() => chooseResources({ profile, asked: job.permissions.resources, ceilings, defaults }), {
    ...ceilings,
    memoryBytes: ceilings.memoryBytes ?? defaults.memoryBytes,
  });

  const grants: Grant[] = profile === 'secure' && network === 'all' ? [{ kind: 'network' }] : [];
  const resolvedArgs: Record<string, string> = {};
  const paths = { read: [] as string[], write: [] as string[] };
  const asksForPaths = job.permissions.read.length + job.permissions.write.length > 0;
  const own = asksForPaths ? masked() : [];
  const mayHave = (kind: 'read' | 'write', path: string, shown: string): boolean =>
    orDenied(() => {
      checkPath(kind, path, shown, { ...leave, paths: roots, masked: own });
      return true;
    }, false);
  for (const kind of ['read', 'write'] as const) {
    // What the profile shows anyway is no grant, but an argument that names a path is still resolved for the script.
    const isWider = profile === 'secure' || (profile === 'permissive' && kind === 'write');
    for (const grant of job.permissions[kind]) {
      const shown = shownPath(grant, open);
      if (shown === undefined) continue;
      if (namesOthersHome(shown)) {
        errors.add({ pointer: pointerOf(grant), message: `'${shown}' ${othersHome}`, keyword: 'path' });
        continue;
      }
      const asked = resolve(entry.source.path, withHome(shown, homedir()));
      const path = await resolveLinks(asked);
      if (path === undefined) {
        // What lies outside the granted roots is refused alike whether it is there or not.
        if (isWider) mayHave(kind, asked, shown);
        errors.add(missingPath(grant, shown));
        continue;
      }
      if (typeof grant !== 'string') resolvedArgs[grant.arg] = path;
      if (!isWider || !mayHave(kind, path, shown)) continue;
      if (!(await isFolderOrFile(path))) {
        denials.push(new Problem('grant-not-allowed', `'${shown}' is neither a folder nor a regular file.`));
        continue;
      }
      paths[kind].push(path);
      grants.push({ kind, path: shown });
    }
  }

  if (errors.size > 0 && denials.length === 0) throw validationError(errors.errors(), errors.size);

  const isSandboxed = getsSandbox(profile);
  if (!isSandboxed && network === 'none') {
    denials.push(
      new Problem(
        'isolation-unavailable',
        "This host has no bubblewrap, and without it a run cannot be kept from the network, as the job's permissions.network asks: install bubblewrap, or set network: all.",
      ),
    );
  }
  const { available, detail } = o.host[profile];
  if (!available) {
    denials.push(new Problem('isolation-unavailable', `This host cannot enforce '${profile}': ${detail ?? 'unknown'}`));
  }
  return {
    entry,
    args: open,
    secrets,
    storedSecrets: stored.names,
    storedArgs: Object.fromEntries(stored.ofArguments),
    alsoRedacted: before.alsoRedacted,
    profile,
    network,
    isSandboxed,
    isolation: isolationOf(profile, network, isSandboxed),
    resources,
    limits: shownLimits(resources, reportOf(o.limitHost, isSandboxed), job.logs.maxSizeBytes),
    ...paths,
    resolvedArgs,
    // Under a profile that is not allowed nothing is granted.
    grants: allowed === undefined ? [] : grants,
    group: groupOf(job, open),
    decision: decisionOf({
      job,
      source: entry.source.name,
      requested: request.security_profile,
      instance: o.policy.defaultProfile,
      profile,
      paths: [...paths.read, ...paths.write],
      grants,
      roots,
    }),
    denied: denials[0] ?? null,
  };
}

/** Splits secret values off. What is kept with the run reads `[redacted]`. */
function takeSecrets(args: JsonObject, names: readonly string[]): { open: JsonObject; secrets: Map<string, string> } {
  const secrets = new Map<string, string>();
  const open: JsonObject = { ...args };
  for (const name of names) {
    const value = args[name];
    if (value === undefined) continue;
    if (typeof value === 'string') secrets.set(name, value);
    open[name] = redacted;
  }
  return { open, secrets };
}

/** What later versions bring is refused by name, never passed over in silence. */
function refuseWhatComesLater(entry: CatalogEntry, denials: Problem[]): void {
  const { id, unsupported, enabled } = entry.definition;
  const later: string[] = unsupported.map((key) => `'${key}' in the job '${id}'`);
  if (later.length > 0) {
    denials.push(new Problem('not-supported-yet', `This version does not act on ${later.join(', ')}.`));
  }
  if (!enabled)
    denials.push(new Problem('job-invalid', `The job '${id}' is disabled: its config.yaml says enabled: false.`));
}

function findJob(id: string, catalog: Catalog): JobDefinition | undefined {
  try {
    return catalog.find(id).definition;
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}

/** @throws Problem validation-error where `concurrency.key` has no value for these arguments, or one that is too long */
function groupOf(job: JobDefinition, args: JsonObject): ConcurrencyGroup {
  const { id: jobId, concurrency } = job;
  const limit = concurrency?.limit ?? null;
  if (concurrency?.key == null) return { jobId, limit, key: null };
  try {
    const value = evaluateExpression(concurrency.key, { args, steps: new Map(), run: {} });
    const key = typeof value === 'string' ? value : JSON.stringify(value);
    if (key.length > longestKeyChars)
      throw new ExpressionError(`its value is longer than ${longestKeyChars} characters`);
    return { jobId, limit, key };
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    const message = `the job's \`concurrency.key\`, ${concurrency.key}: ${error.message}`;
    throw validationError([{ pointer: '/args', message, keyword: 'concurrency' }]);
  }
}

function shownPath(wanted: PathGrant, args: JsonObject): string | undefined {
  if (typeof wanted === 'string') return wanted;
  const value = args[wanted.arg];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** The path with every link followed; undefined when nothing is there. */
async function resolveLinks(path: string): Promise<string | undefined> {
  try {
    return await realpath(path);
  } catch {
    return undefined;
  }
}

/** A device, a pipe or a socket reaches further than the path it has. */
async function isFolderOrFile(path: string): Promise<boolean> {
  try {
    const stats = await stat(path);
    return stats.isDirectory() || stats.isFile();
  } catch {
    return false;
  }
}

function missingPath(wanted: PathGrant, shown: string): ValidationError {
  return { pointer: pointerOf(wanted), message: `there is no '${shown}' on this host`, keyword: 'path' };
}

function pointerOf(wanted: PathGrant): string {
  return typeof wanted === 'string' ? '/job_id' : `/args/${wanted.arg.replaceAll('~', '~0').replaceAll('/', '~1')}`;
}
