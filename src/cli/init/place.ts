// Finds the path that a word of a script stands for, as far as it is known before a run. It is a path on the host, or
// an argument that contains a path.

import { normalize } from 'node:path/posix';

/**
 * These marks replace parts of a text that are known only at run time. They are private-use characters, which
 * `plainText` removes from every script.
 */
const marks = { argument: '\uE000', end: '\uE001', unknown: '\uE002', home: '\uE003', script: '\uE004' } as const;

export const unknownText = marks.unknown;
export const homeText = marks.home;
/** The folder of the script, as in `$(dirname "$0")`. */
export const scriptText = marks.script;

export function argumentText(name: string): string {
  return `${marks.argument}${name}${marks.end}`;
}

export function plainText(text: string): string {
  return text.replaceAll(/[\uE000-\uE004]/g, '?');
}

export type Place = {
  /** The name of an argument, or a full path. */
  readonly arg?: string;
  readonly path: string;
  /** False: the place is something below `path`, with a name that is known only at run time. */
  readonly isWhole: boolean;
  /** The script finds the place through `~` or `$HOME`. */
  readonly isOfHome: boolean;
  /** The script finds the place through its own folder, and the place is in that folder. */
  readonly isOfScript: boolean;
};

/** Full paths. Without `script`, the folder of the script is not known. */
export type Roots = {
  readonly home: string;
  readonly script?: string | undefined;
  /** The variables that the script is started with, such as a PATH that differs from the host's. */
  readonly environment?: Readonly<Record<string, string>>;
};

export function ofArgument(arg: string): Place {
  return { arg, path: '', isWhole: true, isOfHome: false, isOfScript: false };
}

/**
 * Returns undefined for a relative path, and for a text that is not a path.
 * @param text with marks
 */
export function placeOf(text: string, { home, script }: Roots): Place | undefined {
  const [, arg, rest = ''] = /^\uE000([^\uE001]*)\uE001(.*)$/s.exec(text) ?? [];
  if (arg !== undefined)
    return /^(?:\/|$)/.test(rest) ? { ...ofArgument(arg), isWhole: /^\/*$/.test(rest) } : undefined;
  const isOfHome = text.startsWith(homeText);
  const isOfScript = text.startsWith(scriptText) && script !== undefined;
  const root = isOfHome ? home : isOfScript ? script : undefined;
  const whole = root === undefined ? text : `${root}${text.slice(1)}`;
  const known = /^[^\uE000-\uE004]*/.exec(whole)?.[0] ?? '';
  const isWhole = known.length === whole.length;
  if (!known.startsWith('/') || /[\p{Cc}:]/u.test(known) || known.startsWith('//')) return undefined;
  const path = normalize(isWhole ? known : known.slice(0, known.lastIndexOf('/') + 1)).replace(/(?<=.)\/+$/, '');
  return { path, isWhole, isOfHome, isOfScript };
}

/** A file that the script leaves in the folder in which it starts: `out/report.txt`. */
export function workspaceFile(text: string): string | undefined {
  const name = normalize(text);
  return /^[\w+@][\w.+@-]*(?:\/[\w+@][\w.+@-]*)*$/.test(name) && /[A-Za-z]/.test(name) ? name : undefined;
}

/** The folder for locks. Each run has its own, so a lock in it does not keep two runs apart. */
export const isLockFolder = /^\/(?:var|run)\/lock(?:\/|$)/;

/** For a file in the folder for locks, which programs outside of flwd may use as a lock, too. */
export function noteOfHostLock(path: string): string {
  return (
    `${path} no longer keeps the job and other programs of this host apart: to share the lock with them, keep it, and ` +
    'write `permissions: {write: [/run/lock]}` into config.yaml and `security: {paths: [/run/lock]}` into flwd.yaml'
  );
}

/**
 * Whether every job sees this path without asking for it, such as `/usr`, or has its own file or folder there, such as
 * `/tmp`.
 */
export function isInSandbox(path: string): boolean {
  return (
    /^\/(?:usr|bin|sbin|lib(?:32|64|x32)?|dev|proc|sys|tmp)(?:\/|$)/.test(path) ||
    /^\/etc\/(?:alternatives|group|hosts|localtime|mime\.types|nsswitch\.conf|os-release|passwd|protocols|resolv\.conf|services|ssl\/certs|ssl\/openssl\.cnf|timezone)(?:\/|$)/.test(
      path,
    )
  );
}
