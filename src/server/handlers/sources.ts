// Lists the sources of jobs with what each contains, and reads a source again.

import type { Catalog } from '../../catalog/catalog.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import { useOf } from '../../domain/policy.ts';
import type { Principal } from '../../domain/principal.ts';
import { Problem } from '../../domain/problem.ts';
import type { Frozen } from '../../lib/frozen.ts';
import type { Handlers } from '../exchange.ts';
import type { ServerConfig } from '../server-config.ts';
import { isInstanceAdmin } from './system.ts';

type Source = Frozen<AnswerOf<'getSource'>>;

export function createSourceHandlers(o: { readonly catalog: Catalog; readonly sources: ServerConfig['sources'] }) {
  const { catalog } = o;

  function sourcesFor(caller: Principal): readonly Source[] {
    const jobs = Map.groupBy(catalog.entries(), ({ source }) => source.name);
    const invalid = Map.groupBy(catalog.invalid(), ({ source }) => source);
    const missing = catalog.missing();
    return o.sources.map((source) => ({
      name: source.name,
      type: source.type,
      ...(isInstanceAdmin(caller) && { path: source.path }),
      mount_path: source.mountPath,
      watch: source.watch,
      trusted: source.trusted,
      may_use: useOf(source),
      jobs: jobs.get(source.name)?.length ?? 0,
      invalid: invalid.get(source.name)?.length ?? 0,
      is_missing: missing.includes(source.name),
    }));
  }

  /** @throws Problem source-not-found */
  function sourceFor(caller: Principal, name: string): Source {
    const found = sourcesFor(caller).find((source) => source.name === name);
    if (found) return found;
    throw new Problem('source-not-found', `The source '${name}' does not exist.`);
  }

  return {
    listSources: ({ request }) => ({ sources: [...sourcesFor(request.principal)] }),
    getSource: ({ request, path }) => sourceFor(request.principal, path.name),
    async syncSource({ request, path }) {
      await catalog.rescan(path.name);
      return sourceFor(request.principal, path.name);
    },
  } satisfies Partial<Handlers>;
}
