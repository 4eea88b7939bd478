// Writes the part of config.yaml that says what a job may use. Each need is a line, or a comment that the author only
// has to uncomment.

import type { SecurityProfile } from '../../domain/job.ts';
import type { PathRequest, PathRequests } from './path-requests.ts';
import { notesIn, type Uses } from './uses.ts';
import { scalar } from './yaml-text.ts';

export type Asking = {
  readonly profile: SecurityProfile;
  /** With `--allow`, the job asks for everything before its author has looked at it. */
  readonly isAllowed: boolean;
  readonly home: string;
};

/** Whether config.yaml asks for the permission. A permission in a comment does not count. */
export function isAsked(request: PathRequest, { profile, isAllowed }: Asking): boolean {
  if (request.isRisky || profile === 'disabled') return false;
  if (profile === 'permissive') return request.kind === 'write';
  return request.isSure || isAllowed;
}

export function permissionLines(uses: Uses, requests: PathRequests, asking: Asking): string[] {
  return [
    ...profileLines(requests, asking),
    ...(uses.lock === undefined
      ? []
      : [
          `# Instead of the lock of line ${uses.lock.line}, which other runs cannot see.`,
          `concurrency: { limit: 1, on_conflict: ${uses.lock.onConflict} }`,
          '',
        ]),
    ...(uses.left.length === 0
      ? []
      : [
          '# The script starts in an empty folder, which is removed after the run. flwd keeps these files of the folder.',
          `artifacts: { paths: [${uses.left.map(scalar).join(', ')}] }`,
          '',
        ]),
    ...grantLines(uses, requests, asking),
    ...notesIn(asking.profile, [...uses.notes, ...requests.notes]).map((note) => `# To do: ${note}.`),
  ];
}

function profileLines({ files }: PathRequests, { profile, home }: Asking): string[] {
  const homeLine = `env: { HOME: ${scalar(home)} }`;
  if (profile === 'secure') {
    if (!files.some(({ isOfHome }) => isOfHome)) return [];
    return [
      '# The script uses ~. Without this line, ~ is an empty folder, and what the script writes there is lost.',
      homeLine,
      '',
    ];
  }
  return [
    ...(profile === 'permissive'
      ? ['# Nearly as cron runs it: the job sees the whole host, read-only, and has the network.']
      : [
          '# As cron runs it, without a sandbox. The operator must allow this in flwd.yaml:',
          '#   security: { allow_profiles: [secure, permissive, disabled] }',
        ]),
    '# Remove this line when the permissions below are complete.',
    `security_profile: ${profile}`,
    homeLine,
    '',
  ];
}

function grantLines(uses: Uses, { files }: PathRequests, asking: Asking): string[] {
  const { profile } = asking;
  const isNetworkAsked = uses.network !== undefined && profile === 'secure' && asking.isAllowed;
  const active = files.filter((request) => isAsked(request, asking));
  const isBlock = isNetworkAsked || active.length > 0;
  const lines = [
    networkLine(uses.network, isNetworkAsked),
    ...(['read', 'write'] as const).flatMap((kind) => {
      const own = files.filter((request) => request.kind === kind);
      const isActive = own.some((request) => active.includes(request));
      if (own.length === 0) return [];
      return [
        `  ${isActive ? '' : '# '}${kind}:`,
        ...own.map(
          (request) =>
            `    ${active.includes(request) ? '' : isActive ? '# ' : '# '}- ${entryOf(request)}   # ${request.why}`,
        ),
      ];
    }),
  ];
  return [
    ...aboutGrants(profile, files),
    ...(uses.network === undefined || profile !== 'secure' ? [] : networkWarning),
    `${isBlock ? '' : '# '}permissions:`,
    ...(isBlock ? lines : lines.map((line) => `# ${line.replace(/^(\s*)# /, '$1')}`)),
    ...(files.length > 0 ? [] : ['#   read:', '#     - /srv/data   # an example']),
  ];
}

function networkLine(network: string | undefined, isAsked: boolean): string {
  return `  ${isAsked ? '' : '# '}network: all${network === undefined ? '' : `   # probably needed: ${network}`}`;
}

function aboutGrants(profile: SecurityProfile, files: readonly PathRequest[]): string[] {
  if (profile === 'disabled') return ['# In a sandbox, the job would need these permissions:'];
  const wanted = files.filter(({ kind }) => profile === 'secure' || kind === 'write');
  const paths = [
    ...new Set(wanted.flatMap(({ hostPath, isRisky }) => (hostPath === undefined || isRisky ? [] : [hostPath]))),
  ];
  const inConfiguration = `security: { paths: [${(paths.length > 0 ? paths : ['/srv/data']).map(scalar).join(', ')}] }`;
  if (profile === 'permissive')
    return [
      '# The job can write only to the paths under write. The operator must list them in flwd.yaml, too:',
      `#   ${inConfiguration}`,
      '# In the profile secure, the job would also need the lines that are commented out.',
    ];
  return [
    '# A job has no network. It sees its own folder and a read-only system, and starts in an empty folder. Permissions allow',
    '# more. The operator must list folders for read and write in flwd.yaml, too:',
    `#   ${inConfiguration}`,
  ];
}

const networkWarning = [
  '# With network access, the job can reach the internet, the local networks and everything that listens on this machine,',
  '# including 127.0.0.1: databases without a password, development servers. The flwd API asks it for a token.',
];

function entryOf({ arg, path = '' }: PathRequest): string {
  return arg === undefined ? scalar(path) : `{ arg: ${arg} }`;
}
