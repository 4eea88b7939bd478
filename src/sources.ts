// Reads jobs from the sources without a data dir, a database or a server. It does not even load their code, because
// that would make `flwd jobs` slow.

import { existsSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { type Catalog, createCatalog, type JobSource } from './catalog/catalog.ts';
import type { readJobTests } from './catalog/job/job-tests.ts';
import { isWithin } from './catalog/source/source-file.ts';
import type { Config } from './config/config.ts';
import type { AnswerOf, QueryOf } from './contract/operations.ts';
import type { InvalidJob, JobDefinition } from './domain/job.ts';
import { localPrincipal } from './domain/principal.ts';
import type { Frozen } from './lib/frozen.ts';
import type { LogFormat, LogLines } from './lib/logger.ts';
import { createJobViews } from './server/handlers/job-views.ts';

export type JobsReader = {
  readonly list: (query: QueryOf<'listJobs'>) => Frozen<AnswerOf<'listJobs'>>;
  /** @throws Problem job-not-found, job-invalid */
  readonly get: (id: string) => Promise<Frozen<AnswerOf<'getJob'>>>;
  /** Returns the same arguments as `get`, at a lower cost. @throws Problem job-not-found, job-invalid */
  readonly argspec: (id: string) => Frozen<AnswerOf<'getJob'>>['args'];
};

/** Reads the jobs in the sources as they are now. Neither needs nor creates a data dir. */
export async function readJobs<T>(config: Config, work: (jobs: JobsReader) => Promise<T>): Promise<T> {
  return withCatalog(config, (catalog) => {
    const views = createJobViews({ catalog, defaultProfile: config.security.defaultProfile });
    return work({
      list: (query) => views.list(query, localPrincipal),
      async get(id) {
        const entry = catalog.find(id);
        return views.detail(entry, await catalog.revisionOf(entry));
      },
      argspec: (id) => catalog.find(id).definition.argspec,
    });
  });
}

/** Reads the sources once. */
export async function withCatalog<T>(config: Config, work: (catalog: Catalog) => Promise<T>): Promise<T> {
  const log = errorsAlone(config.logging.format);
  const sources = config.sources.map((source): JobSource => ({ ...source, type: 'fs', watch: false }));
  const { instance, persistence } = config;
  const exclude = [instance.dataDir, persistence.blobsDir, persistence.secretKeyFile];
  const catalog = createCatalog({ sources, aliases: config.aliases, exclude, log });
  try {
    await catalog.start();
    return await work(catalog);
  } finally {
    await catalog.close();
  }
}

export type JobsWithTests = {
  readonly jobs: readonly {
    readonly definition: JobDefinition;
    /** undefined if the job has no tests. */
    readonly tests: Awaited<ReturnType<typeof readJobTests>>;
  }[];
  readonly invalid: readonly InvalidJob[];
};

/** Reads the selected jobs with their tests, and the selected jobs that are broken. Creates no data dir. */
export async function readTests(config: Config, isAskedFor: (id: string) => boolean): Promise<JobsWithTests> {
  return withCatalog(config, (catalog) => testsOf(catalog, isAskedFor));
}

async function testsOf(catalog: Catalog, isAskedFor: (id: string) => boolean): Promise<JobsWithTests> {
  const { readJobTests: read } = await import('./catalog/job/job-tests.ts');
  const entries = catalog.entries().filter(({ definition }) => isAskedFor(definition.id));
  const jobs = entries.map(async ({ definition, source }) => ({
    definition,
    tests: await read(source.path, definition.path),
  }));
  return { jobs: await Promise.all(jobs), invalid: catalog.invalid().filter(({ id }) => isAskedFor(id)) };
}

type Located = { readonly source: string } & ({ readonly id: string } | { readonly error: string });

/**
 * Finds the job that is in a folder, among the configured sources. Returns undefined if no source contains the folder.
 */
export async function locateJob(config: Config, dir: string): Promise<Located | undefined> {
  const real = await realpath(dir);
  const roots = new Map<string, string>();
  for (const { name, path } of config.sources) if (existsSync(path)) roots.set(name, await realpath(path));
  const sources = config.sources.filter(({ name }) => {
    const root = roots.get(name);
    return root !== undefined && isWithin(root, real);
  });
  const isIt = (source: string, path: string): boolean => join(roots.get(source) ?? '', path) === real;
  const [first] = sources;
  if (!first) return undefined;
  return withCatalog({ ...config, sources }, async (catalog): Promise<Located> => {
    const valid = catalog.entries().find(({ definition: { source, path } }) => isIt(source, path));
    if (valid) return { source: valid.source.name, id: valid.definition.id };
    const invalid = catalog.invalid().find(({ source, path }) => isIt(source, path));
    const error = invalid?.errors[0]?.message ?? 'its name or .flwdignore excludes it';
    return { source: invalid?.source ?? first.name, error };
  });
}

/** The ids of all valid jobs, by the full path of their folder. */
export async function jobIdsByFolder(config: Config): Promise<ReadonlyMap<string, string>> {
  const pathOf = new Map(config.sources.map(({ name, path }) => [name, path]));
  return withCatalog(
    config,
    async (catalog) =>
      new Map(
        catalog.entries().map(({ definition: { id, source, path } }) => [join(pathOf.get(source) ?? '', path), id]),
      ),
  );
}

/**
 * Reads a folder of jobs as a source would, without an instance. Paths in the answer are relative to the folder.
 * @param mountPath the id of the job if the folder itself is a job
 */
export async function readJobFolder(path: string, mountPath: string): Promise<JobsWithTests> {
  const log = errorsAlone('text');
  const source: JobSource = { name: 'folder', type: 'fs', path, mountPath, watch: false, trusted: true };
  const catalog = createCatalog({ sources: [source], aliases: [], exclude: [], log });
  try {
    await catalog.start();
    return await testsOf(catalog, () => true);
  } finally {
    await catalog.close();
  }
}

/** Logs only errors. The logger is loaded for the first error. */
function errorsAlone(format: LogFormat): LogLines {
  return {
    info: () => undefined,
    warn: () => undefined,
    error(...said: Parameters<LogLines['error']>) {
      void import('./lib/logger.ts').then(({ createLogger }) =>
        createLogger({ format, level: 'error' }).error(...said),
      );
    },
  };
}
