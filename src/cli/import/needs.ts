// Guesses from its text what a shell command uses that the sandbox does not give it. Nothing is granted by this: it is
// what the report and the comments of config.yaml propose.

import { readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { networkUse, writtenPaths } from '../init/script-surroundings.ts';

export type Needs = {
  readonly read: readonly string[];
  readonly write: readonly string[];
  /** What seems to use the network: `curl`, `line 3 of /srv/x.sh: rsync`. */
  readonly network: string | undefined;
  readonly notes: readonly string[];
};

/** Every job sees these. */
const shown =
  /^\/(?:usr|bin|sbin|lib\w*|dev|proc|etc\/(?:alternatives|group|hosts|localtime|mime\.types|nsswitch\.conf|os-release|passwd|protocols|services|ssl|timezone))(?:\/|$)/;
const pathPattern = /(?<=^|[\s"'=(<>|&;,])(?:~|\$HOME\b|\$\{HOME\})?\/(?:[\w.+@%/-]*[\w+@%])?/g;
const changesAll = /(?:^|\s)(?:rm|rmdir|mkdir|touch|tee|chown|chmod|truncate|gzip|shred|unlink)\s|\s-delete(?:\s|$)/;
const changesLast = /(?:^|\s)(?:cp|mv|rsync|install|ln)\s/;
const mostScriptBytes = 2 ** 20;

export function needsOf(script: string, home: string | null): Needs {
  const read = new Set<string>();
  const write = new Set<string>();
  const notes: string[] = [];
  const text = script.replaceAll(/^\s*#.*$/gm, '');
  let network = networkWord(networkUse('sh', text.replaceAll(/(?:\/usr)?(?:\/local)?\/s?bin\/(?=\w)/g, '')));
  for (const segment of text.split(/[;|&\n]+/)) {
    const paths = [...segment.matchAll(pathPattern)].map(({ 0: path, index }) => ({
      path: expanded(path, home),
      index,
    }));
    for (const [at, { path, index }] of paths.entries()) {
      if (path === undefined || path === '/' || shown.test(path)) continue;
      const isTarget = />\s*["']?$/.test(segment.slice(0, index));
      const isChanged = changesAll.test(segment) || (changesLast.test(segment) && at === paths.length - 1);
      if (isTarget || isChanged) write.add(granted(path));
      else read.add(path);
    }
    const file =
      paths[0] && /^\s*(?:\w+=\S*\s+)*["']?$/.test(segment.slice(0, paths[0].index)) ? paths[0].path : undefined;
    if (file === undefined) continue;
    const ofFile = needsOfFile(file);
    for (const path of ofFile.write) if (!shown.test(path)) write.add(granted(path));
    network ??= ofFile.network;
  }
  if (/(?:^|[\s;&|(])(?:sudo|su|doas|runuser)\s/.test(text))
    notes.push('a job cannot use sudo or su: it has no way to become another user');
  if (/(?:^|[\s;&|(/])(?:systemctl|service|docker|podman|crontab)\s/.test(text))
    notes.push('the sandbox does not show the sockets of system services that it talks to');
  if (/(?:^|[\s"'=<>])\/tmp(?:\/|\s|$)/.test(text))
    notes.push('/tmp of a job is its own, empty at the start and gone at the end');
  const paths = [...write].filter((path) => !isTemporary(path));
  return {
    read: [...read].filter((path) => !isTemporary(path) && !paths.includes(path)),
    write: paths,
    network,
    notes,
  };
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

function isTemporary(path: string): boolean {
  return path === '/tmp' || path.startsWith('/tmp/');
}

function expanded(path: string, home: string | null): string | undefined {
  const rest = path.replace(/^(?:~|\$HOME|\$\{HOME\})/, '');
  if (rest !== path && home === null) return undefined;
  const whole = normalize(rest === path ? path : join(home ?? '', rest));
  return whole.length > 1 ? whole.replace(/\/$/, '') : whole;
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
function needsOfFile(path: string): { readonly write: readonly string[]; readonly network: string | undefined } {
  const nothing = { write: [], network: undefined };
  try {
    const stat = statSync(path);
    if (!stat.isFile() || stat.size > mostScriptBytes) return nothing;
    const text = readFileSync(path, 'utf8');
    if (!/^#!.*\b(?:ba|da|z|k)?sh\b/.test(text) && !/\.(?:ba)?sh$/.test(path)) return nothing;
    const use = networkUse('sh', text);
    const network = use === undefined ? undefined : use.replace(/^line (\d+):/, `line $1 of ${path}:`);
    return { write: writtenPaths(text).map((one) => one.path), network };
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
