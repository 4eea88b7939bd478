// Reads keys from the environment: FLWD_<SECTION>_<KEY>, or FLOWD_ with the former prefix. They override flwd.yaml.

import { nearest } from '../lib/nearest.ts';
import { type Key, type KeyPath, keys, securityProfiles } from './keys.ts';
import { type Base, rawOf } from './kind.ts';
import { put, type Settings } from './settings.ts';
import { keyPaths, locate, namesOf, root } from './shape.ts';
import { keySpellings, variableSpellings, variablesInstead } from './spellings.ts';

type Variable = { readonly path: KeyPath; readonly at?: string };

/** Every variable that overrides a key, without its prefix. Keys of list items and of remotes have no variable. */
export const variables: ReadonlyMap<string, Variable> = new Map([
  // In a Map, a later entry replaces an earlier one. Other spellings come first, so the variable of the key itself
  // wins.
  ...Object.entries(variableSpellings).map(([name, path]) => [name, { path }] as const),
  ...Object.entries(keySpellings).flatMap(([name, spelling]) =>
    'key' in spelling && name.includes('<profile>') ? variablesOf(name, spelling.key) : [],
  ),
  ...keyPaths.filter((path) => !path.endsWith('secret_key')).flatMap((path) => variablesOf(path, path)),
  ['DATABASE_URL', { path: 'persistence.url' }],
  ['SECRET_KEY', { path: 'persistence.secret_key' }],
]);

function variablesOf(name: string, path: KeyPath): readonly (readonly [string, Variable])[] {
  if (/\[\]|<name>/.test(name)) return [];
  const named = (at?: string) => locate(name, at).replaceAll('.', '_').toUpperCase();
  return name.includes('<profile>')
    ? securityProfiles.map((at) => [named(at), { path, at }] as const)
    : [[named(), { path }]];
}

/** The command line reads these variables, not the server. */
const clientVariables = ['REMOTE', 'TOKEN'];
const sections = namesOf(root).map((section) => `${section.toUpperCase()}_`);

/**
 * Ignores empty variables. Returns a warning for each variable that looks like a key but is not a key. This is not an
 * error, because other programs may use the prefix: Kubernetes sets FLWD_SERVER_PORT for a service named flwd-server.
 */
export function readEnvironment(environment: NodeJS.ProcessEnv, base: Base, settings: Settings): string[] {
  for (const [name, { path, at }] of variables) {
    const prefix = ['FLWD_', 'FLOWD_'].find((prefix) => environment[prefix + name]);
    if (!prefix) continue;
    const { kind }: Key = keys[path];
    const raw = rawOf(kind, environment[prefix + name] ?? '');
    put(settings, path, at, raw, { kind: 'environment', name: prefix + name }, base);
  }
  return Object.keys(environment).flatMap((full) => {
    const [, prefix, name = ''] = /^(FLO?WD_)(.+)$/.exec(full) ?? [];
    if (!environment[full] || variables.has(name) || clientVariables.includes(name)) return [];
    const instead = variablesInstead.get(name);
    if (instead !== undefined) return `ignoring the variable ${full}: ${instead}`;
    // flwd sets variables such as FLWD_RUN_ID for jobs, so a FLWD_ name that begins with no section is not a mistake.
    // flwd sets no variable that begins with FLOWD_.
    if (prefix !== 'FLOWD_' && !sections.some((section) => name.startsWith(section))) return [];
    const near = nearest(name, [...variables.keys()]);
    return `ignoring the variable ${full}, which sets no key${near ? `; did you mean FLWD_${near}?` : ''}`;
  });
}
