// Guesses from its text what a shell command uses that the sandbox does not give it. Nothing is granted by this: it is
// what the report and the comments of config.yaml propose.

import { readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { isInSandbox, plainText } from '../init/place.ts';
import { runs, shellUses } from '../init/shell-uses.ts';
import type { Uses } from '../init/uses.ts';

export type Needs = {
  readonly read: readonly string[];
  readonly write: readonly string[];
  /** What seems to use the network: `curl`, `line 3 of /srv/x.sh: rsync`. */
  readonly network: string | undefined;
  readonly notes: readonly string[];
};

const mostScriptBytes = 2 ** 20;

export function needsOf(script: string, home: string | null): Needs {
  const { files, network } = usesOf(script, home);
  const ofScripts = files.filter(({ by }) => by === runs).map(({ place }) => needsOfFile(place.path, home));
  const write = [...pathsOf('write', files), ...ofScripts.flatMap((one) => one.write)];
  const notes: string[] = [];
  const text = script.replaceAll(/^\s*#.*$/gm, '');
  if (/(?:^|[\s;&|(])(?:sudo|su|doas|runuser)\s/.test(text))
    notes.push('a job cannot use sudo or su: it has no way to become another user');
  if (/(?:^|[\s;&|(/])(?:systemctl|service|docker|podman|crontab)\s/.test(text))
    notes.push('the sandbox does not show the sockets of system services that it talks to');
  if (/(?:^|[\s"'=<>])\/tmp(?:\/|\s|$)/.test(text))
    notes.push('/tmp of a job is its own, empty at the start and gone at the end');
  const paths = [...new Set(write.map(granted))];
  return {
    read: [...new Set(pathsOf('read', files))].filter((path) => !paths.includes(path)),
    write: paths,
    network: networkWord(network) ?? ofScripts.find((one) => one.network !== undefined)?.network,
    notes,
  };
}

/** @param home null: unknown, so that paths in it are unknown, too */
function usesOf(script: string, home: string | null): Uses {
  const uses = shellUses(plainText(script), [], { home: home ?? '/' });
  return { ...uses, files: uses.files.filter(({ place }) => home !== null || !place.isOfHome) };
}

function pathsOf(kind: 'read' | 'write', files: Uses['files']): string[] {
  return files
    .filter((use) => use.kind === kind && !isInSandbox(use.place.path) && use.place.path !== '/')
    .map(({ place }) => place.path);
}

export function mergeNeeds(all: readonly Needs[]): Needs {
  const write = [...new Set(all.flatMap((one) => one.write))];
  return {
    read: [...new Set(all.flatMap((one) => one.read))].filter((path) => !write.includes(path)),
    write,
    network: all.find((one) => one.network !== undefined)?.network,
    notes: [...new Set(all.flatMap((one) => one.notes))],
  };
}

/** A path that does not exist yet cannot be granted, but the folder around it can. */
function granted(path: string): string {
  return statOf(path) ? path : dirname(path);
}

/** For `security.paths`: the folders around what a job asks for. */
export function foldersOf({ read, write }: Needs): string[] {
  const folders = [...read, ...write].map((path) => (statOf(path)?.isDirectory() === false ? dirname(path) : path));
  const all = [...new Set(folders)].toSorted();
  return all.filter((path) => !all.some((other) => other !== path && path.startsWith(`${other}/`)));
}

/** What a script on this machine uses, if it can be read and is a shell script. */
function needsOfFile(
  path: string,
  home: string | null,
): { readonly write: readonly string[]; readonly network: string | undefined } {
  const nothing = { write: [], network: undefined };
  try {
    const stat = statSync(path);
    if (!stat.isFile() || stat.size > mostScriptBytes) return nothing;
    const text = readFileSync(path, 'utf8');
    if (!/^#!.*\b(?:ba|da|z|k)?sh\b/.test(text) && !/\.(?:ba)?sh$/.test(path)) return nothing;
    const { files, network } = usesOf(text, home);
    return { write: pathsOf('write', files), network: network?.replace(/^line (\d+):/, `line $1 of ${path}:`) };
  } catch {
    return nothing;
  }
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
