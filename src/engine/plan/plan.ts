// Plans a requested run: its job, its checked arguments, and what policy gives it (profile, network, limits, and the
// paths it may ask for). ground.ts checks whether a host can do that. Planning runs nothing and writes nothing.

import { type Catalog, type CatalogEntry, entryOrNone } from '../../catalog/catalog.ts';
import { evaluateExpression } from '../../catalog/expression/expression.ts';
import { ExpressionError } from '../../catalog/expression/expression-error.ts';
import { insteadOf } from '../../catalog/job/other-keys.ts';
import type { AuditDetail } from '../../domain/audit.ts';
import { createErrorList } from '../../domain/error-list.ts';
import type { JobDefinition, JsonObject, Network, PathGrant, SecurityProfile } from '../../domain/job.ts';
import { type KvPermissions, noKvPermissions } from '../../domain/kv.ts';
import {
  chooseKv,
  chooseNetwork,
  chooseProfile,
  chooseResources,
  chooseUser,
  type GrantKind,
  type Leave,
  notifyRefusal,
  wantedProfile,
} from '../../domain/policy.ts';
import type { Principal } from '../../domain/principal.ts';
import { Problem, validationError } from '../../domain/problem.ts';
import type { Resources } from '../../domain/resources.ts';
import type { ConcurrencyGroup } from '../queue/concurrency-groups.ts';
import type { RunSecrets } from '../run/run-secrets.ts';
import { decisionOf } from './decision.ts';
import { createDenials, type Denials } from './denials.ts';
import { checkRequestArguments } from './request-arguments.ts';
import { lookUpSecrets, type SecretLookup } from './secret-references.ts';
import { subRunProblem } from './sub-run-check.ts';

/** The body of POST /runs and POST /plans. */
export type RunRequest = {
  readonly job_id: string;
  readonly args?: JsonObject;
  readonly tenant?: string;
  readonly async?: boolean;
  readonly labels?: Readonly<Record<string, string>>;
  readonly priority?: number;
  readonly security_profile?: SecurityProfile;
  /** The source that the job must come from. */
  readonly source?: { readonly name: string };
};

/** A request whose tenant is known, so its stored secrets can be looked up. */
export type PlanRequest = RunRequest & {
  readonly tenant: string;
  /** The caller whose limits apply; left out when the author of a job file asks for the run. */
  readonly by?: Principal;
};

export type SecurityPolicy = {
  readonly defaultProfile: SecurityProfile;
  readonly allowProfiles: readonly SecurityProfile[];
  /** Full host paths. A job may be granted access below them. */
  readonly paths: readonly string[];
  /** Users of the host that jobs may run as. */
  readonly runAs: readonly string[];
  /** Whether jobs with network access may act as the operator in the API. */
  readonly trustsJobs: boolean;
  readonly mayGrant: (profile: SecurityProfile) => readonly GrantKind[];
  /** What a run of the profile gets, and the most it may ask for. */
  readonly resources: (profile: SecurityProfile) => Resources;
  /** The longest that a run of the profile may take; null if there is no limit. */
  readonly runTimeoutMs: (profile: SecurityProfile) => number | null;
};

/** What policy gives a run, whichever host runs it. */
export type Plan = RunSecrets & {
  readonly entry: CatalogEntry;
  /** The arguments with their defaults. Secrets are shown as `[redacted]`. */
  readonly args: JsonObject;
  /** The names of the stored secrets that the run gets. */
  readonly storedSecrets: readonly string[];
  /** For each argument with a stored secret, the name of that secret. */
  readonly storedArgs: Readonly<Record<string, string>>;
  /** The profile of the run or, if it is denied, the profile that was asked for. */
  readonly profile: SecurityProfile;
  readonly isProfileAllowed: boolean;
  readonly network: Network;
  readonly kv: KvPermissions;
  /** The user of the host that the job runs as; null if the job names no user, or may not name one. */
  readonly user: string | null;
  /** The limits that the job and the instance set. The host may limit the rest. */
  readonly resources: Resources;
  /** The highest limits that the instance allows for the profile. */
  readonly ceilings: Resources;
  /** The shorter of the timeouts that the job and the instance set; null if there is no limit. */
  readonly runTimeoutMs: number | null;
  /** The paths that the job asks to read or write beyond its profile. */
  readonly wantedPaths: readonly WantedPath[];
  /** The grants that policy allows the job. */
  readonly leave: Leave;
  readonly group: ConcurrencyGroup;
  /** Explains the decisions in the audit log. */
  readonly decision: AuditDetail;
  /** Why a run would not start. */
  readonly denials: readonly Problem[];
};

export type WantedPath = {
  readonly kind: 'read' | 'write';
  /** As the author or the caller wrote it. A relative path is below the folder of the source. */
  readonly shown: string;
  /** The argument that names the path; null when the job file itself names the path. */
  readonly arg: string | null;
};

const redacted = '[redacted]';
const nothingBefore: Before = { secrets: new Map(), alsoRedacted: [], storedArgs: {} };
/** The longest key. It is limited because it is part of the sentence that says why a run waits. */
const longestKeyChars = 256;

export type PolicyContext = {
  readonly catalog: Catalog;
  readonly policy: SecurityPolicy;
  readonly storedSecret: SecretLookup;
};

/** What a rerun takes over from the earlier run: its secrets, and the names of the stored secrets in its arguments. */
export type Before = RunSecrets & Pick<Plan, 'storedArgs'>;

/**
 * `entry` may be an older revision of the job than the catalog has.
 * @throws Problem validation-error. Everything else that denies the run is in `denials`.
 */
export async function planRun(
  entry: CatalogEntry,
  request: PlanRequest,
  o: PolicyContext,
  before: Before = nothingBefore,
): Promise<Plan> {
  const job = entry.definition;
  const errors = createErrorList();
  const carried = Object.values(before.storedArgs);
  const { tenant, by } = request;
  const asked = { tenant, lookUp: o.storedSecret, kept: before.secrets, carried, source: entry.source, by };
  const stored = await lookUpSecrets(job, request.args ?? {}, asked);
  const args = checkRequestArguments(job, stored.args, errors);
  if (errors.size > 0) throw validationError(errors.errors(), errors.size);
  const { open, secrets } = takeSecrets(args, job.secretArgs);
  for (const [name, value] of stored.ofEnvironment) secrets.set(name, value);

  const denials = createDenials();
  refuseWhatComesLater(entry, denials);
  if (stored.denied) denials.add(stored.denied);
  const storedArgs = { ...before.storedArgs, ...Object.fromEntries(stored.ofArguments) };
  const wrongSubRuns = subRunProblem(entry, storedArgs, (id) => entryOrNone(id, o.catalog));
  if (wrongSubRuns) denials.add(wrongSubRuns);
  const noNotify = notifyRefusal(job, entry.source);
  if (noNotify) denials.add(noNotify);
  const requested = request.security_profile;
  return {
    entry,
    args: open,
    secrets,
    storedSecrets: stored.names,
    storedArgs,
    alsoRedacted: before.alsoRedacted,
    ...applyPolicy(entry, requested, o.policy, denials),
    wantedPaths: wantedPaths(job, open),
    group: groupOf(job, open),
    denials: denials.found,
  };
}

function applyPolicy(
  entry: CatalogEntry,
  requested: SecurityProfile | undefined,
  policy: SecurityPolicy,
  denials: Denials,
): Pick<
  Plan,
  | 'profile'
  | 'isProfileAllowed'
  | 'network'
  | 'kv'
  | 'user'
  | 'resources'
  | 'ceilings'
  | 'runTimeoutMs'
  | 'leave'
  | 'decision'
> {
  const { definition: job, source } = entry;
  const { trusted } = source;
  const wanted = { job: job.securityProfile, instance: policy.defaultProfile, requested };
  const allowed = denials.orElse(() => chooseProfile({ ...wanted, allowed: policy.allowProfiles, trusted }), undefined);
  const profile = allowed ?? wantedProfile(wanted);
  const leave = { profile, mayGrant: policy.mayGrant(profile), trusted };
  const { network, kv = noKvPermissions, resources: askedResources } = job.permissions;
  const ceilings = policy.resources(profile);
  return {
    profile,
    isProfileAllowed: allowed !== undefined,
    network: denials.orElse(() => chooseNetwork({ asked: network, ...leave }), 'none'),
    kv: denials.orElse(() => chooseKv({ asked: kv, job: job.id, source, ...leave }), noKvPermissions),
    user: denials.orElse(() => chooseUser({ asked: job.runAs, allowed: policy.runAs, trusted }), null),
    resources: denials.orElse(() => chooseResources({ profile, asked: askedResources, ceilings }), ceilings),
    ceilings,
    runTimeoutMs: shorterOf(job.timeouts.runMs, policy.runTimeoutMs(profile)),
    leave,
    decision: decisionOf({ job, source: source.name, requested, instance: policy.defaultProfile, profile }),
  };
}

function shorterOf(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b);
}

/** Separates the secret values. The arguments that are stored with the run show `[redacted]` instead. */
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

/** Settings that this version does not support are refused by name, never ignored. */
function refuseWhatComesLater(entry: CatalogEntry, denials: Denials): void {
  const { id, unsupported, enabled } = entry.definition;
  const later = unsupported.map(
    (setting) => `This version does not support '${setting}' in the job '${id}': ${insteadOf(setting)}.`,
  );
  if (later.length > 0) denials.add(new Problem('not-supported-yet', later.join(' ')));
  if (!enabled)
    denials.add(new Problem('job-invalid', `The job '${id}' is disabled: its config.yaml says enabled: false.`));
}

/** @throws Problem validation-error when `concurrency.key` has no value for these arguments, or too long a value */
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

function wantedPaths({ permissions }: JobDefinition, args: JsonObject): WantedPath[] {
  return (['read', 'write'] as const).flatMap((kind) =>
    permissions[kind].flatMap((grant) => {
      const shown = shownPath(grant, args);
      return shown === undefined ? [] : [{ kind, shown, arg: typeof grant === 'string' ? null : grant.arg }];
    }),
  );
}

function shownPath(wanted: PathGrant, args: JsonObject): string | undefined {
  if (typeof wanted === 'string') return wanted;
  const value = args[wanted.arg];
  return typeof value === 'string' && value !== '' ? value : undefined;
}
