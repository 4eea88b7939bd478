// All jobs of all sources: the usable ones, and the invalid ones with their errors. Answers come from memory. The
// catalog reads a source when the source changes, never because of a request.

import { join } from 'node:path';
import type { InvalidJob, JobDefinition, JobError } from '../domain/job.ts';
import type { UsingSource } from '../domain/policy.ts';
import { type Reach, reachesJob } from '../domain/principal.ts';
import { Problem } from '../domain/problem.ts';
import type { LogLines } from '../lib/logger.ts';
import { printable } from './job/job-id.ts';
import { createDirectoryWatch, type DirectoryWatch } from './source/directory-watch.ts';
import { createIgnoreReader, type Excluded, type Ignore } from './source/ignore.ts';
import { explainUnreadable, type IdentifiedJob, type JobFile, readJobState, unusable } from './source/job-state.ts';
import { hashFiles } from './source/revision.ts';
import type { FoundJob } from './source/source-directories.ts';
import { childOf } from './source/source-path.ts';
import { type WatchedSource, watchSource } from './source/source-watch.ts';

export type JobSource = UsingSource & {
  readonly type: 'fs';
  /** A full path. */
  readonly path: string;
  readonly mountPath: string;
  readonly watch: boolean;
};

export type CatalogEntry = {
  readonly definition: JobDefinition;
  readonly source: JobSource;
  /** The job's directory on this host. */
  readonly dir: string;
  /** The stamp of the config.yaml that the definition is from. */
  readonly configStamp: string | undefined;
};

/** A job with a folder, whose configuration may be invalid. */
export type JobFolder = {
  readonly definition: Pick<JobDefinition, 'id' | 'path'>;
  readonly source: JobSource;
};

export type Catalog = {
  /** A number that grows with every visible change. */
  readonly generation: number;
  /** Calls the listener after each visible change. @returns a function that removes the listener */
  onChange(listener: () => void): () => void;
  /** True once every source has been read. */
  readonly isReady: boolean;
  /** Sorted by id. @throws Problem not-ready until every source has been read once */
  entries(): readonly CatalogEntry[];
  /** Sorted by id. @throws Problem not-ready */
  invalid(): readonly InvalidJob[];
  /**
   * The names of the sources whose folder is missing, unreadable or replaced by an empty one.
   * @throws Problem not-ready
   */
  missing(): readonly string[];
  /** Whether the job, or a folder that it was in, is invalid, and there is no valid job with this id. */
  readonly isBroken: (jobId: string) => boolean;
  /** @throws Problem not-ready, job-not-found, job-invalid with its `errors` */
  find(idOrAlias: string): CatalogEntry;
  /** Finds an invalid job too, unless several jobs have its id. @throws like `find` */
  findFolder(idOrAlias: string): JobFolder;
  aliasesOf(id: string): readonly string[];
  /**
   * The revision is cached until something in the job's directory changes. @throws Problem job-invalid, job-not-found
   */
  revisionOf(job: JobFolder): Promise<string>;
  /** The files that belong to the job, as they are now. @throws Problem job-invalid, job-not-found */
  filesOf(job: JobFolder): Promise<readonly JobFile[]>;
  /** Reads a job again, because its folder has changed. */
  reread(job: JobFolder): Promise<void>;
  /** Reads a source again. @throws Problem source-not-found */
  rescan(source: string): Promise<void>;
  /** Resolves when every source has been read once. */
  start(): Promise<void>;
  close(): Promise<void>;
};

/** Where the job's files are. */
export function placeOf({ definition, source }: JobFolder, ignoreOf: (root: string) => Ignore): IdentifiedJob {
  const { id, path } = definition;
  return { id, root: source.path, path: path === '.' ? '' : path, ignore: ignoreOf(source.path) };
}

/** The job's definition; undefined when there is no such job or it is invalid. */
export function definitionOf(idOrAlias: string, catalog: Catalog): JobDefinition | undefined {
  return entryOrNone(idOrAlias, catalog)?.definition;
}

export function entryOrNone(idOrAlias: string, catalog: Catalog): CatalogEntry | undefined {
  return orNone(() => catalog.find(idOrAlias));
}

/** The folder of the job, which may be invalid; undefined when there is no such folder, or several. */
export function folderOrNone(idOrAlias: string, catalog: Catalog): JobFolder | undefined {
  return orNone(() => catalog.findFolder(idOrAlias));
}

function orNone<Found>(find: () => Found): Found | undefined {
  try {
    return find();
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}

/** The tags that decide who may start the job. The tags of a job from an untrusted source do not count. */
export function trustedTagsOf(jobId: string, catalog: Catalog): readonly string[] {
  const entry = entryOrNone(jobId, catalog);
  return entry?.source.trusted ? entry.definition.tags : [];
}

/** The job's definition; undefined when the caller reaches no such job, or it is invalid. */
export function definitionReached(idOrAlias: string, reach: Pick<Reach, 'jobs'>, catalog: Catalog) {
  const job = definitionOf(idOrAlias, catalog);
  return job && reachesJob(reach, job.id) ? job : undefined;
}

/** Finds a job as `find` does. For a caller who does not reach the job, it does not exist. @throws like `find` */
export function findReached<Found extends JobFolder>(
  idOrAlias: string,
  reach: Pick<Reach, 'jobs'>,
  catalog: { readonly find: (idOrAlias: string) => Found },
): Found {
  try {
    const entry = catalog.find(idOrAlias);
    if (reachesJob(reach, entry.definition.id)) return entry;
  } catch (error) {
    // The catalog has no entry for a job with errors. Then only its id decides whether the caller reaches it.
    if (!(error instanceof Problem) || error.slug === 'not-ready' || reachesJob(reach, idOrAlias)) throw error;
  }
  throw jobNotFound(idOrAlias);
}

const warningLimit = 20;
const hashAttempts = 10;

type Request = Excluded & {
  readonly sources: readonly JobSource[];
  /** `from` is a job's id, `to` is its alias. */
  readonly aliases: readonly { readonly from: string; readonly to: string }[];
  readonly log: LogLines;
  /** Whether jobs of a source have run before. If they have, an empty folder counts as missing. */
  readonly hadJobs?: (source: string) => Promise<boolean>;
};

export function createCatalog(o: Request): Catalog {
  const { log, hadJobs = async () => false } = o;
  const directories = createDirectoryWatch(log);
  const ignoreOf = createIgnoreReader(o);
  const sources = o.sources.map((source) => ({
    source,
    watched: watchSource({ source, directories, ignoreOf, log, hadJobs, onChange: publish }),
  }));
  const jobOfAlias = new Map(o.aliases.map(({ from, to }) => [to, from]));
  /** The entry of each job that was found. A job that is read again gets a new entry. */
  const entryOf = new WeakMap<FoundJob, CatalogEntry>();
  const warnOf = createWarnings(log);
  let byId = new Map<string, CatalogEntry>();
  let entries: readonly CatalogEntry[] = [];
  let invalid: readonly InvalidJob[] = [];
  let missing: readonly string[] = [];
  let generation = 0;
  let isReady = false;
  const listeners = new Set<() => void>();

  function publish(): void {
    if (!isReady) return;
    const found = sources.flatMap(({ source, watched }) => watched.tree.jobs.map((job) => ({ source, job })));
    ({ entries, invalid } = sortOut(found, jobOfAlias, entryOf));
    missing = sources.filter(({ watched }) => watched.isMissing()).map(({ source }) => source.name);
    byId = new Map(entries.map((entry) => [entry.definition.id, entry]));
    generation += 1;
    warnOf({ entries, invalid });
    for (const listener of listeners) listener();
  }

  function assertReady(): void {
    if (!isReady) throw new Problem('not-ready', 'The server is still reading its sources.', { retry_after: 1 });
  }

  function find(idOrAlias: string): CatalogEntry {
    assertReady();
    const target = jobOfAlias.get(idOrAlias);
    const entry = byId.get(idOrAlias) ?? (target === undefined ? undefined : byId.get(target));
    if (entry) return entry;
    throw noEntry(invalid, idOrAlias, target);
  }

  return {
    get generation() {
      return generation;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    get isReady() {
      return isReady;
    },
    entries: after(assertReady, () => entries),
    invalid: after(assertReady, () => invalid),
    missing: after(assertReady, () => missing),
    isBroken: (jobId) => !byId.has(jobId) && invalid.some(({ id }) => jobId === id || jobId.startsWith(`${id}/`)),
    find,
    findFolder: (idOrAlias) => findFolder(idOrAlias, { sources, find, jobOfAlias }),
    aliasesOf: (id) => o.aliases.filter(({ from }) => from === id).map(({ to }) => to),
    revisionOf: createRevisions(ignoreOf, directories),
    filesOf: async (entry) => (await readJobState(placeOf(entry, ignoreOf))).files,
    reread: ({ definition: { path }, source }) => watchedOf(source.name, sources).rescan(path === '.' ? '' : path),
    async rescan(name) {
      assertReady();
      await watchedOf(name, sources).rescan();
    },
    async start() {
      const startedAtMs = performance.now();
      await Promise.all(sources.map(({ watched }) => watched.start()));
      isReady = true;
      publish();
      const ms = Math.round(performance.now() - startedAtMs);
      const folders = sources.map(({ source }) => source.path);
      log.info({ folders, ms }, `jobs: ${entries.length}, invalid: ${invalid.length}${scriptWords(sources)}`);
    },
    close: async () => void (await Promise.all(sources.map(({ watched }) => watched.close()))),
  };
}

function after<T>(check: () => void, read: () => T): () => T {
  return () => {
    check();
    return read();
  };
}

function scriptWords(sources: readonly Watched[]): string {
  const scripts = sources.reduce((sum, { watched }) => sum + watched.tree.scripts, 0);
  return scripts > 0 ? `, scripts without a config.yaml: ${scripts}` : '';
}

type Watched = { readonly source: JobSource; readonly watched: WatchedSource };

function findFolder(
  idOrAlias: string,
  o: {
    readonly sources: readonly Watched[];
    readonly find: Catalog['find'];
    readonly jobOfAlias: ReadonlyMap<string, string>;
  },
): JobFolder {
  try {
    return o.find(idOrAlias);
  } catch (error) {
    const found = foldersOf(idOrAlias, o.sources);
    const [only, ...others] = found.length > 0 ? found : foldersOf(o.jobOfAlias.get(idOrAlias), o.sources);
    if (!only || others.length > 0 || !(error instanceof Problem) || error.slug !== 'job-invalid') throw error;
    return only;
  }
}

function foldersOf(id: string | undefined, sources: readonly Watched[]): JobFolder[] {
  return sources.flatMap(({ source, watched }) =>
    watched.tree.jobs
      .filter((job) => job.id === id)
      .map(({ id: its, path }) => ({ definition: { id: its, path }, source })),
  );
}

function watchedOf(name: string, sources: readonly Watched[]): WatchedSource {
  const found = sources.find(({ source }) => source.name === name);
  if (found) return found.watched;
  throw new Problem('source-not-found', `The source '${name}' does not exist.`);
}

function noEntry(invalid: readonly InvalidJob[], idOrAlias: string, target: string | undefined): Problem {
  for (const id of [idOrAlias, target]) {
    const errors = invalid.filter((job) => job.id === id).flatMap((job) => job.errors);
    if (errors[0])
      return new Problem('job-invalid', `The job '${idOrAlias}' is invalid: ${showError(errors[0])}`, { errors });
  }
  return jobNotFound(idOrAlias);
}

function jobNotFound(idOrAlias: string): Problem {
  return new Problem('job-not-found', `The job '${idOrAlias}' does not exist`);
}

/**
 * Logs a warning for each invalid job once, and again when its errors change. Remembers which jobs had schedules when
 * they were last valid.
 */
function createWarnings(log: LogLines) {
  const warned = new Set<string>();
  const scheduled = new Set<string>();
  return ({ entries, invalid }: ReturnType<typeof sortOut>): void => {
    for (const { definition } of entries) {
      if (definition.schedules.length > 0) scheduled.add(definition.id);
      else scheduled.delete(definition.id);
    }
    const news = invalid.filter((job) => !warned.has(JSON.stringify(job)));
    warned.clear();
    for (const job of invalid) warned.add(JSON.stringify(job));
    for (const { id, source, errors } of news.slice(0, warningLimit)) {
      const then = scheduled.has(id) ? ', so its schedules start nothing until it is corrected' : '';
      log.warn({ source }, `the job ${id} is invalid${then}: ${errors[0] ? showError(errors[0]) : ''}`);
    }
    if (news.length > warningLimit) log.warn(`${news.length - warningLimit} more jobs are invalid`);
  };
}

/** Returns the revision of a job. Hashes the job's directory again only if it may have changed. */
function createRevisions(ignoreOf: (root: string) => Ignore, directories: DirectoryWatch): Catalog['revisionOf'] {
  const revisions = new WeakMap<JobFolder, { signature: string; revision: string; isFinal: boolean }>();
  return async (entry) => {
    const known = revisions.get(entry);
    if (known?.isFinal) return known.revision;
    const job = placeOf(entry, ignoreOf);
    for (let attempt = 0; attempt < hashAttempts; attempt++) {
      const state = await readJobState(job);
      if (known && state.isSettled && known.signature === state.signature) return known.revision;
      const revision = await hashFiles(state.files).catch((error: unknown) => {
        throw explainUnreadable(job, state.files, error);
      });
      if (revision === undefined) continue;
      // If everything is watched, any change replaces the entry, so the entry's revision stays correct.
      const isFinal = entry.source.watch && directories.isComplete && state.isWatched && state.isSettled;
      revisions.set(entry, { signature: state.signature, revision, isFinal });
      return revision;
    }
    throw unusable(job, 'its folder keeps changing');
  };
}

type Claimant = { readonly source: JobSource; readonly job: FoundJob };

/**
 * Sorts jobs into usable and invalid ones, by id. If jobs share an id, all of them are invalid. The exception is a job
 * of a trusted source, if all other jobs with its id are from untrusted sources.
 */
function sortOut(
  found: readonly Claimant[],
  jobOfAlias: ReadonlyMap<string, string>,
  entryOf: WeakMap<FoundJob, CatalogEntry>,
): { entries: readonly CatalogEntry[]; invalid: readonly InvalidJob[] } {
  const entries: CatalogEntry[] = [];
  const invalid: InvalidJob[] = [];
  for (const [id, claimants] of Map.groupBy(found, ({ job }) => job.id)) {
    for (const { source, job } of claimants) {
      const { read, path, configStamp } = job;
      const rivals = claimants.filter((other) => other.job !== job && (other.source.trusted || !source.trusted));
      const collisions = rivals.map((other) => collision(id, job, source.trusted, other));
      const aliased = source.trusted ? undefined : jobOfAlias.get(id);
      if (aliased !== undefined) collisions.push(aliasCollision(id, job, aliased));
      if (collisions.length === 0 && 'id' in read) {
        const entry = entryOf.get(job) ?? { definition: read, source, dir: join(source.path, path), configStamp };
        entryOf.set(job, entry);
        entries.push(entry);
        continue;
      }
      invalid.push({
        id: printable(id === '' ? '.' : id),
        source: source.name,
        path: printable(path === '' ? '.' : path),
        errors: [...('id' in read ? [] : read), ...collisions],
      });
    }
  }
  return {
    entries: entries.toSorted((a, b) => compare(a.definition.id, b.definition.id)),
    invalid: invalid.toSorted((a, b) => compare(a.id, b.id) || compare(a.source, b.source)),
  };
}

function collision(id: string, job: FoundJob, isTrusted: boolean, other: Claimant): JobError {
  const outcome =
    other.source.trusted && !isTrusted
      ? 'so this job, whose source is not trusted, cannot run'
      : 'so neither job can run';
  return {
    file: fileOf(job),
    line: 1,
    column: 1,
    message: `${fileOf(other.job)} in the source ${other.source.name} has the same id ${printable(id)}, ${outcome}`,
  };
}

function aliasCollision(id: string, job: FoundJob, aliased: string): JobError {
  const message = `${printable(id)} is an alias of ${aliased} in flwd.yaml, so this job, whose source is not trusted, cannot run`;
  return { file: fileOf(job), line: 1, column: 1, message };
}

function fileOf({ path, read }: FoundJob): string {
  const [error] = 'id' in read ? [] : read;
  return error?.file ?? printable(childOf(path, 'config.yaml'));
}

function showError({ file, line, column, message }: JobError): string {
  return `${file}:${line}:${column}: ${message}`;
}

/** Compares by code unit, so the order is the same on every machine. */
function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
