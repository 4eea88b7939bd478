// What a word of a script names, as far as the text says: a path of the host, or an argument that holds one.

import { normalize } from 'node:path/posix';

/**
 * Stand for parts of a text that are known only at run time. They are private-use characters, which `plainText` removes
 * from every script.
 */
const marks = { argument: '\uE000', end: '\uE001', unknown: '\uE002', home: '\uE003' } as const;

export const unknownText = marks.unknown;
export const homeText = marks.home;

export function argumentText(name: string): string {
  return `${marks.argument}${name}${marks.end}`;
}

export function plainText(text: string): string {
  return text.replaceAll(/[\uE000-\uE003]/g, '?');
}

export type Place = {
  /** The name of an argument, or an absolute path. */
  readonly arg?: string;
  readonly path: string;
  /** False: something below it, with a name that is known only at run time. */
  readonly isWhole: boolean;
  /** The script finds it through `~` or `$HOME`. */
  readonly isOfHome: boolean;
};

/** undefined: a relative path, or nothing that the text says. @param text with marks. @param home an absolute path */
export function placeOf(text: string, home: string): Place | undefined {
  const [, arg, rest = ''] = /^\uE000([^\uE001]*)\uE001(.*)$/s.exec(text) ?? [];
  if (arg !== undefined)
    return /^(?:\/|$)/.test(rest) ? { arg, path: '', isWhole: /^\/*$/.test(rest), isOfHome: false } : undefined;
  const isOfHome = text.startsWith(homeText);
  const whole = isOfHome ? `${home}${text.slice(1)}` : text;
  const known = /^[^\uE000-\uE003]*/.exec(whole)?.[0] ?? '';
  const isWhole = known.length === whole.length;
  if (!known.startsWith('/') || /[\p{Cc}:]/u.test(known) || known.startsWith('//')) return undefined;
  const path = normalize(isWhole ? known : known.slice(0, known.lastIndexOf('/') + 1)).replace(/(?<=.)\/+$/, '');
  return { path, isWhole, isOfHome };
}

/** A file that the script leaves in the folder in which it starts: `out/report.txt`. */
export function workspaceFile(text: string): string | undefined {
  const name = normalize(text);
  return /^[\w+@][\w.+@-]*(?:\/[\w+@][\w.+@-]*)*$/.test(name) && /[A-Za-z]/.test(name) ? name : undefined;
}

/** Every job sees it, or has one of its own. */
export function isInSandbox(path: string): boolean {
  return (
    /^\/(?:usr|bin|sbin|lib(?:32|64|x32)?|dev|proc|sys|tmp)(?:\/|$)/.test(path) ||
    /^\/etc\/(?:alternatives|group|hosts|localtime|mime\.types|nsswitch\.conf|os-release|passwd|protocols|resolv\.conf|services|ssl\/certs|ssl\/openssl\.cnf|timezone)(?:\/|$)/.test(
      path,
    )
  );
}
