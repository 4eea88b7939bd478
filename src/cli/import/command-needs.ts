// Guesses from its text what a shell command needs beyond what the sandbox provides. A guess grants nothing: the report
// and the comments of config.yaml only propose permissions.

import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { hostNeedOf } from '../../domain/host-needs.ts';
import { grantConflict } from '../../domain/policy.ts';
import { isTooWide } from '../init/path-requests.ts';
import { isInSandbox, isLockFolder, noteOfHostLock, type Place, plainText } from '../init/place.ts';
import { shellUses } from '../init/shell-uses.ts';
import type { Lock, Uses } from '../init/uses.ts';
import { usesOfCall } from './called-script.ts';

export type CommandNeeds = {
  readonly read: readonly string[];
  readonly write: readonly string[];
  /** The program that seems to use the network, such as `curl`, or `line 3 of /srv/x.sh: rsync`. */
  readonly network: string | undefined;
  /** True if a script that the command calls finds files through `~` or `$HOME`. */
  readonly isHomeUsed: boolean;
  /** The paths of the scripts that the command calls. */
  readonly scripts: readonly string[];
  /** The command, or a script that it calls, takes a lock, so that no two runs of it work at once. */
  readonly lock: Lock | undefined;
  /** The files that the command writes in /run and /var/lock. */
  readonly hidden: readonly string[];
  readonly notes: readonly string[];
};

/**
 * What a command depends on. If `home` is null, the paths in the home are unknown. No job may write to flwd's `own`
 * files.
 */
type Surroundings = {
  readonly home: string | null;
  readonly environment: Readonly<Record<string, string>>;
  readonly own: readonly string[];
};

export function needsOfCommand(script: string, around: Surroundings): CommandNeeds {
  const { home } = around;
  const { files, network, programs, calls, variables, missing, lock: ownLock } = usesOf(script, around);
  const environment = Object.fromEntries(variables);
  const called = calls.map((call) => {
    const uses = usesOfCall(call, { home: home ?? '/', environment });
    return { path: call.path, uses: inHome(uses, home) };
  });
  const ofScripts = called.flatMap(({ uses }) => uses.files);
  const written = placesOf('write', [...files, ...ofScripts]);
  const wanted = written.filter(({ path }) => !isOfRun(path)).map((place) => granted(place, around));
  const write = widest(wanted.filter((path) => isGrantable(path, around)));
  const read = [...pathsOf('read', files), ...pathsOf('read', ofScripts).filter(statOf)];
  const lock = ownLock ?? called.find(({ uses }) => uses.lock !== undefined)?.uses.lock;
  const networkOfScript = called.find(({ uses }) => uses.network !== undefined);
  return {
    read: widest(
      read.filter((path) => !isOnlyTheWay(path, home, read)),
      write,
    ),
    write,
    network:
      networkWord(network) ??
      networkOfScript?.uses.network?.replace(/^line (\d+):/, `line $1 of ${networkOfScript.path}:`),
    scripts: called.map(({ path }) => path),
    isHomeUsed: ofScripts.some(({ place }) => place.isOfHome),
    lock,
    hidden: written.filter(({ path }) => isOfRun(path)).map(({ path }) => path),
    notes: [
      ...[...missing, ...called.flatMap(({ uses }) => uses.missing)].map(({ text }) => text),
      ...notesOf([...programs, ...called.flatMap(({ uses }) => uses.programs)]),
      ...[...new Set(wanted)].filter((path) => !isGrantable(path, around)).map(noteOfWide),
      ...noteOfTmp(lock?.file === undefined ? script : script.replaceAll(lock.file, '')),
      ...write.filter((path) => !statOf(path)).map((path) => `create ${path} before the first run`),
    ],
  };
}

/** Whether a path is in the folders in which the host's programs keep their locks and PID files. */
function isOfRun(path: string): boolean {
  return /^(?:\/var)?\/run(?:\/|$)/.test(path) || isLockFolder.test(path);
}

/** @param isShared another job takes the lock as well, so `concurrency` does not replace it */
export function notesOfHidden({ hidden, lock }: CommandNeeds, isShared: boolean): string[] {
  const instead =
    lock === undefined
      ? ': `concurrency: { limit: 1, on_conflict: reject }` replaces a lock file'
      : ': remove the lock, which `concurrency` replaces';
  return hidden.flatMap((path) => {
    if (!isLockFolder.test(path)) return [`the sandbox does not show ${path}${isShared ? '' : instead}`];
    if (lock !== undefined) return [noteOfHostLock(path)];
    return [
      `each run has its own /run/lock, so ${path} does not keep two runs apart: if it is a lock, write \`concurrency: { limit: 1, on_conflict: reject }\``,
      noteOfHostLock(path),
    ];
  });
}

/** Says what replaces the lock of a command. @param isShared another job takes the lock, too */
export function noteOfLock({ onConflict, waits, file }: Lock, isShared: boolean): string {
  const meanwhile = onConflict === 'reject' ? 'is rejected' : 'waits until the other run has ended';
  const limit =
    waits === undefined
      ? ''
      : `; \`timeouts: {queue: ${waits}s}\` lets the run stop waiting after the same time as flock`;
  const grant =
    isShared || file === undefined || isInSandbox(file) || isOfRun(file)
      ? ''
      : `; without flock, the job does not need to write to ${file}`;
  return `flock became \`concurrency: {limit: 1, on_conflict: ${onConflict}}\`: a run that begins while another is in progress ${meanwhile}${limit}${grant}`;
}

function notesOf(programs: readonly string[]): string[] {
  const notes: string[] = [];
  const needs = new Set(programs.map(hostNeedOf));
  if (needs.has('another user'))
    notes.push(
      'no program in a job can become another user, as with sudo or su: `run_as` sets the user of the whole job',
    );
  if (needs.has('services') || needs.has('containers') || needs.has('schedules'))
    notes.push('it seems to control services of the host, such as systemd or Docker: no sandbox lets a job reach them');
  const mailer = programs.find((name) => hostNeedOf(name) === 'mail');
  if (mailer !== undefined)
    notes.push(`${mailer} cannot send mail from a sandbox: use a notification instead (docs/guides/notifications.md)`);
  if (programs.includes('logger'))
    notes.push(
      'logger cannot reach syslog from a sandbox: remove `logger`, so that its input goes to the log of the run',
    );
  return notes;
}

function noteOfTmp(script: string): string[] {
  return /(?:^|[\s"'=<>])\/tmp(?:\/|\s|$)/.test(script.replaceAll(/^\s*#.*$/gm, ''))
    ? ['each run has a /tmp of its own, which is empty at its start and deleted at its end']
    : [];
}

/**
 * True for the home folder if the command also names files in it. The command then needs only these files, and not the
 * whole folder.
 */
function isOnlyTheWay(path: string, home: string | null, read: readonly string[]): boolean {
  return path === home && read.some((other) => other.startsWith(`${home}/`));
}

function usesOf(script: string, { home, environment }: Surroundings): Uses {
  return inHome(shellUses(plainText(script), [], { home: home ?? '/', environment }), home);
}

/** Leaves out what is in the home, if the home is not known. */
function inHome(uses: Uses, home: string | null): Uses {
  if (home !== null) return uses;
  return {
    ...uses,
    files: uses.files.filter(({ place }) => !place.isOfHome),
    missing: uses.missing.filter(({ isOfHome }) => !isOfHome),
  };
}

function pathsOf(kind: 'read' | 'write', files: Uses['files']): string[] {
  return placesOf(kind, files).map(({ path }) => path);
}

function placesOf(kind: 'read' | 'write', files: Uses['files']): Place[] {
  return files
    .filter((use) => use.kind === kind && !isInSandbox(use.place.path) && use.place.path !== '/')
    .map(({ place }) => place);
}

export function mergeNeeds(all: readonly CommandNeeds[]): CommandNeeds {
  const write = widest(all.flatMap((one) => one.write));
  return {
    read: widest(
      all.flatMap((one) => one.read),
      write,
    ),
    write,
    network: all.find((one) => one.network !== undefined)?.network,
    scripts: [...new Set(all.flatMap((one) => one.scripts))],
    isHomeUsed: all.some((one) => one.isHomeUsed),
    lock: all.find((one) => one.lock !== undefined)?.lock,
    hidden: [...new Set(all.flatMap((one) => one.hidden))],
    notes: [...new Set(all.flatMap((one) => one.notes))],
  };
}

/**
 * Returns the path to grant. For a file that does not exist yet, this is its folder, if jobs may write to that folder.
 */
function granted({ path, isWhole }: Place, around: Surroundings): string {
  return isWhole && !statOf(path) && isGrantable(dirname(path), around) ? dirname(path) : path;
}

/** Whether flwd can grant a job permission to write to this path. */
function isGrantable(path: string, { home, own }: Surroundings): boolean {
  return !isTooWide(path, home ?? '/') && grantConflict('write', path, own) === undefined;
}

function noteOfWide(path: string): string {
  return `flwd lets no job write to ${path}: let the command write to a folder of its own, and allow that folder`;
}

/**
 * Turns the paths that the job asks for into paths for `security.paths`. A file is replaced by its folder, unless the
 * folder is too wide.
 */
export function foldersOf({ read, write }: CommandNeeds, home: string | null): string[] {
  const folders = [...read, ...write].map((path) =>
    statOf(path)?.isDirectory() === false && !isTooWide(dirname(path), home ?? '/') ? dirname(path) : path,
  );
  return widest(folders).toSorted();
}

/** Leaves out each path that another path, or one of `more`, includes: a folder includes everything in it. */
function widest(paths: readonly string[], more: readonly string[] = []): string[] {
  const all = [...paths, ...more];
  return [...new Set(paths)].filter(
    (path) => !more.includes(path) && !all.some((other) => path.startsWith(`${other}/`)),
  );
}

function statOf(path: string) {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

function networkWord(use: string | undefined): string | undefined {
  return use?.replace(/^line \d+: /, '');
}
