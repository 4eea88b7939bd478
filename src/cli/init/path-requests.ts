// Turns the files that a script uses into permissions that its job has to ask for, and finds what must exist on the
// host before a run.

import { existsSync, realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import { shellWord } from '../../lib/shell-word.ts';
import { isInSandbox, isLockFolder, noteOfHostLock } from './place.ts';
import type { ScriptArgument } from './script-arguments.ts';
import type { FileUse, Note, Uses } from './uses.ts';

export type PathRequest = {
  readonly kind: 'read' | 'write';
  /** A full path; undefined if the path is in the argument `arg`. */
  readonly path: string | undefined;
  /** The same as `path`, or the default of the argument. */
  readonly hostPath: string | undefined;
  readonly arg: string | undefined;
  /** `line 12: tee` */
  readonly why: string;
  /** Whether the job should ask for the permission before its author has looked at it. */
  readonly isSure: boolean;
  /**
   * The path does not exist on this host, and the user cannot create it. If the job asked for it, the server would
   * refuse runs that could work without it.
   */
  readonly isRisky: boolean;
  readonly isOfHome: boolean;
};

export type PathRequests = {
  readonly files: readonly PathRequest[];
  /** Commands that create what must exist. */
  readonly create: readonly string[];
  readonly notes: readonly Note[];
};

/** Nobody checks more paths than this, and a file that only looks like a script may contain thousands. */
const mostPaths = 50;

/** `notes` has one note for each argument or path. */
type Remarks = { readonly create: Set<string>; readonly notes: Map<string, Note> };

export function pathRequestsOf(uses: Uses, all: readonly ScriptArgument[], home: string): PathRequests {
  const remarks: Remarks = { create: new Set(), notes: new Map() };
  const ofArguments = all.flatMap((argument) => requestsOfArgument(argument, uses, remarks));
  const ofPaths = strongest(uses.files.filter(({ place }) => place.arg === undefined && !place.isOfScript))
    // Paths in the home are never left out, because the home may be below /tmp.
    .filter(({ place }) => place.isOfHome || !isInSandbox(place.path))
    .slice(0, mostPaths)
    .flatMap((use) => requestsOfPath(use, home, { remarks, lock: uses.lock }));
  return {
    files: [...ofArguments, ...withoutParts(ofPaths)],
    create: [...remarks.create],
    notes: [...remarks.notes.values()],
  };
}

function requestsOfPath(
  use: FileUse,
  home: string,
  { remarks, lock }: { readonly remarks: Remarks; readonly lock: Uses['lock'] },
): PathRequest[] {
  const { kind, place, line, by } = use;
  const isQuestion = /^(?:\[|\[\[|test|for)$/.test(by);
  if (place.path === '/' || (isQuestion && !existsSync(place.path))) return [];
  if (isLockFolder.test(place.path)) {
    if (kind === 'write') remarks.notes.set(place.path, { text: noteOfLockFile(use, lock), fineIn: 'disabled' });
    return [];
  }
  if (/^\/(?:var\/)?run(?:\/|$)/.test(place.path)) {
    if (!isQuestion)
      remarks.notes.set(place.path, {
        text:
          `line ${line}: a sandbox does not show ${place.path}: ` +
          (lock === undefined
            ? 'let the script use a file below /tmp'
            : 'remove the lock from the script; concurrency in config.yaml replaces it'),
        fineIn: 'disabled',
      });
    return [];
  }
  const path = use.isNewFile ? shownFile(place.path, home) : place.path;
  if (kind === 'write' && isTooWide(path, home)) {
    remarks.notes.set(path, {
      text:
        `line ${line} writes into ${path} itself, which no job in a sandbox may do: let the script write into a folder ` +
        'below it, or use --profile disabled',
      fineIn: 'disabled',
    });
    return [];
  }
  const isUsable = exists(path, { ...use, isNewFile: use.isNewFile && path === place.path }, remarks);
  const why = `line ${line}: ${by}`;
  return [
    { kind, path, hostPath: path, arg: undefined, why, isSure: false, isRisky: !isUsable, isOfHome: place.isOfHome },
  ];
}

/** @param lock a lock of the script that `concurrency` in config.yaml replaces */
function noteOfLockFile({ place, line }: FileUse, lock: Uses['lock']): string {
  if (lock !== undefined) return `line ${line}: ${noteOfHostLock(place.path)}`;
  return (
    `line ${line}: each run has its own /run/lock, so ${place.path} does not keep two runs apart: if it is a lock, ` +
    `write concurrency: { limit: 1, on_conflict: reject } into config.yaml; ${noteOfHostLock(place.path)}`
  );
}

function requestsOfArgument(argument: ScriptArgument, uses: Uses, remarks: Remarks): PathRequest[] {
  const { name, schema, isRequired, line } = argument;
  const own = uses.files.filter(({ place }) => place.arg === name);
  const use = own.find(({ kind }) => kind === 'write') ?? own[0];
  if (schema.type === 'array' && use)
    remarks.notes.set(name, {
      text: `--${name} lists paths, and permissions take no list: add the folder that contains them under ${use.kind}`,
      fineIn: use.kind === 'read' ? 'permissive' : 'disabled',
    });
  const isPath = schema.format === 'path' || use !== undefined;
  if (!isPath || schema.format === 'secret' || schema.enum !== undefined || schema.type !== 'string') return [];
  const preset = String(schema.default ?? '');
  const hostPath = preset.startsWith('/') ? preset : undefined;
  const isKnown = isRequired || hostPath !== undefined;
  const kind = use?.kind ?? (isKnown && isTarget(name) ? 'write' : 'read');
  // The job does not ask for a file that the script creates: the server would refuse the run, because the file does not
  // exist yet.
  const isMade = use?.isNewFile === true && hostPath === undefined;
  if (isMade) {
    const note =
      `--${name} names a file that the script makes: artifacts: { paths: [report.txt] } keeps report.txt; ` +
      'for another place, add its folder under write';
    if (!uses.left.includes(preset)) remarks.notes.set(name, { text: note, fineIn: 'disabled' });
    return [];
  }
  const isUsable =
    hostPath === undefined ||
    exists(hostPath, { kind, line, by: use?.by ?? '', isNewFile: use?.isNewFile === true }, remarks);
  const isRisky = !isUsable;
  const isSure = isKnown && !isRisky && (use !== undefined || reads.test(name) || isTarget(name));
  const ofName = isSure ? `line ${line}` : `line ${line}; under write if the script writes there`;
  return [
    {
      kind,
      path: undefined,
      hostPath: isRisky ? undefined : hostPath,
      arg: name,
      why: use ? `line ${use.line}: ${use.by}` : ofName,
      isSure,
      isRisky,
      isOfHome: false,
    },
  ];
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

/**
 * Whether the path exists, or will exist once the user has created it. A path that the script reads must exist already.
 */
function exists(
  path: string,
  { kind, line, by, isNewFile }: Pick<FileUse, 'kind' | 'line' | 'by' | 'isNewFile'>,
  { create, notes }: Remarks,
): boolean {
  const real = realPath(path);
  if (real !== undefined && real !== path)
    notes.set(path, {
      text: `line ${line}: ${path} resolves to ${real}, and a job sees only ${real}: let the script use ${real}`,
      fineIn: 'permissive',
    });
  if (real !== undefined) return true;
  const isCreatable = kind === 'write' && (isNewFile || /^(?:mkdir|makedirs|cp|rsync|tar|find|mkdirSync)?$/.test(by));
  if (isCreatable) create.add(`${isNewFile ? 'touch' : 'mkdir -p'} ${shellWord(path)}`);
  else notes.set(path, { text: `line ${line}: ${path} does not exist on this host: create it if the script needs it` });
  return isCreatable;
}

const reads = /(?:^|_)(?:src|source)(?:_(?:dir|directory|folder|path|file))?$/;
const writes = /(?:^|_)(?:dst|dest|destination)(?:_(?:dir|directory|folder|path|file))?$/;

/** Whether an argument of this name most likely names what the script writes. */
export function isTarget(name: string): boolean {
  return writes.test(name);
}

/** Keeps one use of each path: the first one that writes, or else the first one. */
function strongest(files: readonly FileUse[]): FileUse[] {
  const byPath = new Map<string, FileUse>();
  for (const use of files) {
    const before = byPath.get(use.place.path);
    if (!before || (before.kind === 'read' && use.kind === 'write')) byPath.set(use.place.path, use);
  }
  return [...byPath.values()];
}

/** Leaves out what is in a folder that may be written, because the permission includes everything in it. */
function withoutParts(requests: readonly PathRequest[]): PathRequest[] {
  const isPart = (one: PathRequest): boolean =>
    requests.some(
      (other) =>
        other !== one &&
        (other.kind === 'write' || one.kind === 'read') &&
        `${one.path}/`.startsWith(`${other.path}/`) &&
        (one.path !== other.path || requests.indexOf(other) < requests.indexOf(one)),
    );
  return requests.filter((one) => !isPart(one));
}

/** Folders that programs share: a job gets single files there, not the folder. */
const shared =
  /^(?:\/|\/(?:boot|etc|home|media|mnt|opt|root|run|srv|usr|var)|\/run\/lock|\/var\/(?:backups|cache|lib|local|lock|log|mail|run|spool|tmp))$/;

/**
 * Returns the path for a permission. For a new file, returns its folder, so that the script can also replace the file.
 * If other programs use the folder, too, returns the path of the file itself.
 */
function shownFile(path: string, home: string): string {
  const folder = dirname(path);
  const isOfAll = shared.test(folder) || folder === home || /^\/\.[\w-]+(?:\/\w+)?$/.test(folder.replace(home, ''));
  return existsSync(path) || isOfAll ? path : folder;
}

/** Whether a folder holds so much that no job gets permission to write there. */
export function isTooWide(path: string, home: string): boolean {
  return (
    path === '/' ||
    `${home}/`.startsWith(`${path}/`) ||
    (shared.test(path) && path !== '/var/backups' && path !== '/srv')
  );
}
