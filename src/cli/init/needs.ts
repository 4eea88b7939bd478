// Lists what a new job still needs: lines in config.yaml and flwd.yaml, folders on the host, changes in the script.

import type { Config } from '../../config/config.ts';
import type { LoadedConfig } from '../../config/load.ts';
import type { PathRequest, PathRequests } from './path-requests.ts';
import { type Asking, isAsked } from './permission-lines.ts';
import { notesIn, type Uses } from './uses.ts';
import { scalar } from './yaml-text.ts';

export type Needs = {
  /**
   * Why the job probably needs the network; undefined if it does not need it, or if config.yaml already asks for it.
   */
  readonly network: string | undefined;
  /** Permissions that are only comments in config.yaml so far. */
  readonly unasked: readonly PathRequest[];
  /** Folders and files that flwd.yaml has to allow. */
  readonly paths: readonly string[];
  readonly isProfileMissing: boolean;
  readonly create: readonly string[];
  readonly notes: readonly string[];
};

export function needsOf(
  { uses, requests }: { readonly uses: Uses; readonly requests: PathRequests },
  asking: Asking,
  security: Config['security'] | undefined,
): Needs {
  const { profile } = asking;
  const wanted = requests.files.filter(
    ({ kind }) => profile === 'secure' || (profile === 'permissive' && kind === 'write'),
  );
  const paths = wanted.flatMap(({ hostPath, isRisky }) => (hostPath === undefined || isRisky ? [] : [hostPath]));
  const isAllowed = (path: string): boolean =>
    (security?.paths ?? []).some((root) => `${path}/`.startsWith(`${root}/`));
  return {
    network: profile === 'secure' && !asking.isAllowed ? uses.network : undefined,
    unasked: wanted.filter((request) => !request.isRisky && !isAsked(request, asking)),
    paths: [...new Set(paths.filter((path) => !isAllowed(path)))],
    isProfileMissing: profile === 'disabled' && security?.allowProfiles.includes(profile) !== true,
    create: profile === 'disabled' ? [] : requests.create,
    notes: notesIn(profile, [...uses.notes, ...requests.notes]),
  };
}

/** Says what a job of one script needs. @param folder of the job */
export function needLines(needs: Needs, folder: string): string[] {
  const unasked = unaskedLines(needs);
  return [
    ...(unasked.length === 0
      ? []
      : [
          'it seems to need these permissions:',
          ...unasked.map((line) => `  ${line}`),
          `to give it these permissions, remove the # and the space after it from these lines in ${folder}/config.yaml, or remove ${folder} and use --allow`,
        ]),
    ...createLines(needs.create),
    ...(needs.notes.length === 0 ? [] : ['to do:', ...needs.notes.map((note) => `  ${note}`)]),
  ];
}

export function unaskedLines({ network, unasked }: Needs): string[] {
  const rows = [
    ...(network === undefined ? [] : [['network', network]]),
    ...unasked.map(({ kind, path, arg, why }) => [`${kind} ${path ?? `--${arg}`}`, why]),
  ];
  const width = Math.max(0, ...rows.map(([what = '']) => what.length));
  return rows.map(([what = '', why = '']) => `${what.padEnd(width)}  ${why}`);
}

export function createLines(create: readonly string[]): string[] {
  return create.length === 0
    ? []
    : ['before the first run, create these files and folders:', ...create.map((line) => `  ${line}`)];
}

/** The lines that flwd.yaml needs. They include the paths that it already has. */
export function securityLines(
  { paths, isProfileMissing }: Pick<Needs, 'paths' | 'isProfileMissing'>,
  loaded: LoadedConfig | undefined,
): string[] {
  const security = loaded?.config.security;
  const members = [
    ...(paths.length === 0 ? [] : [`paths: [${[...(security?.paths ?? []), ...paths].map(scalar).join(', ')}]`]),
    ...(isProfileMissing ? ['allow_profiles: [secure, permissive, disabled]'] : []),
  ];
  if (members.length === 0) return [];
  return [
    `the operator must allow it in ${loaded?.file ?? 'flwd.yaml'}; a running server must then be restarted:`,
    `  security: { ${members.join(', ')} }`,
    ...(paths.length > 0 && process.geteuid?.() === 0
      ? [
          'if the server runs as root, its jobs run as nobody, or as the user in run_as, who must be able to use these paths',
        ]
      : []),
  ];
}

export function needsJson({ network, unasked, paths, isProfileMissing, create, notes }: Needs) {
  return {
    permissions: {
      ...(network === undefined ? {} : { network: 'all' }),
      read: unasked.filter(({ kind }) => kind === 'read').map(({ path, arg }) => path ?? { arg }),
      write: unasked.filter(({ kind }) => kind === 'write').map(({ path, arg }) => path ?? { arg }),
    },
    security: { paths, ...(isProfileMissing ? { allow_profiles: ['disabled'] } : {}) },
    create,
    notes,
  };
}
