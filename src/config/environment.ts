// Overrides from the environment: FLWD_<SECTION>_<KEY>, or FLOWD_, the former prefix.

import { nearest } from '../lib/nearest.ts';
import { type Key, type KeyPath, keys, securityProfiles } from './keys.ts';
import type { Base } from './kind.ts';
import { put, type Settings } from './settings.ts';
import { keyPaths, locate, root } from './shape.ts';

type Variable = { readonly path: KeyPath; readonly at?: string };

/** Every variable that overrides a key, without its prefix. Keys of list items and of remotes have no variable. */
export const variables: ReadonlyMap<string, Variable> = new Map(
  keyPaths
    .filter((path) => !/\[\]|<name>|secret_key$/.test(path))
    .flatMap((path): Variable[] =>
      path.includes('<profile>') ? securityProfiles.map((at) => ({ path, at })) : [{ path }],
    )
    .map((variable) => [locate(variable.path, variable.at).replaceAll('.', '_').toUpperCase(), variable] as const)
    .concat([
      ['DATABASE_URL', { path: 'persistence.url' }],
      ['SECRET_KEY', { path: 'persistence.secret_key' }],
    ]),
);

const sections = [...root.members.keys()].map((section) => `${section.toUpperCase()}_`);

/**
 * Ignores empty variables. Returns a warning for each variable that looks like a key but is not one. That is no error,
 * because other programs may use the prefix: Kubernetes sets FLWD_SERVER_PORT for a service named flwd-server.
 */
export function readEnvironment(environment: NodeJS.ProcessEnv, base: Base, settings: Settings): string[] {
  for (const [name, { path, at }] of variables) {
    const prefix = ['FLWD_', 'FLOWD_'].find((prefix) => environment[prefix + name]);
    if (!prefix) continue;
    const { kind }: Key = keys[path];
    const raw = kind.fromText(environment[prefix + name] ?? '');
    put(settings, path, at, raw, { kind: 'environment', name: prefix + name }, base);
  }
  return Object.keys(environment).flatMap((full) => {
    const [, name = ''] = /^FLO?WD_(.+)$/.exec(full) ?? [];
    if (variables.has(name) || !sections.some((section) => name.startsWith(section))) return [];
    const near = nearest(name, [...variables.keys()]);
    return `ignoring the variable ${full}, which sets no key${near ? `; did you mean FLWD_${near}?` : ''}`;
  });
}
