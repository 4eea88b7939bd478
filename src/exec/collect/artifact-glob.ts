// Decides which files of a workspace a pattern matches. Patterns become RE2 expressions. Node's own path.matchesGlob
// backtracks: a pattern with seven stars and a name of 200 letters keep it busy for more than 20 s.

import type { RE2JS } from 're2js';
import { re2 } from '../../lib/re2.ts';

/**
 * `*`, `?` and `[a-z]` match within a name, `{a,b}` is a choice, `**` matches any folders. `report/`, or the plain name
 * of a folder, matches everything below it. As in a shell, wildcards skip names that begin with a dot, unless a name in
 * the pattern begins with a dot, too.
 */
export function createArtifactGlob(pattern: string) {
  const glob = pattern.replace(/^\/workspace\//, '').replaceAll(/(?<=^|\/)(?:\.?\/)+/g, '');
  const isFolder = glob.endsWith('/');
  const isPlain = !/[*?[{\\]/.test(glob);
  const expression = compile(glob, isFolder ? '.+' : isPlain ? '(?:/.+)?' : '');
  const takesHidden = isFolder || isPlain || /(?<=^|[/{,])\./.test(glob);
  const begin = isPlain && !isFolder ? `${glob}/` : (/^(?:[^*?[{\\/]+\/)*/.exec(glob)?.[0] ?? '');
  const depth = isFolder || isPlain || glob.includes('**') ? Number.POSITIVE_INFINITY : glob.split('/').length;
  return {
    /** `path` is relative to the workspace. */
    matches: (path: string): boolean => (takesHidden || !isHidden(path)) && expression.matches(path),
    /** Whether anything below a folder could match. If not, a walk can leave the folder out. */
    reachesBelow(folder: string): boolean {
      const inside = `${folder}/`;
      return (
        folder.split('/').length < depth &&
        (takesHidden || !isHidden(folder)) &&
        (inside.startsWith(begin) || begin.startsWith(inside))
      );
    },
  };
}

function isHidden(path: string): boolean {
  return path.startsWith('.') || path.includes('/.');
}

/** Compiles a pattern. A text that is not a valid pattern, such as `a[z-a]` or `{a`, matches only itself. */
function compile(glob: string, tail: string): RE2JS {
  const { RE2JS } = re2();
  try {
    return RE2JS.compile(toExpression(glob) + tail, RE2JS.DOTALL);
  } catch {
    return RE2JS.compile(RE2JS.quote(glob) + tail, RE2JS.DOTALL);
  }
}

const partPattern = /\*\*\/|\*+|\?|\[[!^]?\]?[^\]/]*\]|\\.|[{},]|[^*?[\\{},]+|[[\\]/gsu;

function toExpression(glob: string): string {
  const { RE2JS } = re2();
  let openBraces = 0;
  return glob.replaceAll(partPattern, (part, at: number) => {
    const isWholeName = at === 0 || glob[at - 1] === '/';
    if (part === '**/') return isWholeName ? '(?:[^/]+/)*' : '[^/]*/';
    if (part.startsWith('*')) return isWholeName && part === '**' && at + 2 === glob.length ? '.+' : '[^/]*';
    if (part === '?') return '[^/]';
    if (part.startsWith('[') && part.length > 2) return toClass(part.slice(1, -1));
    if (part.startsWith('\\') && part.length > 1) return RE2JS.quote(part.slice(1));
    if (part === '{') openBraces++;
    if (part === '{') return '(?:';
    if (part === ',' && openBraces > 0) return '|';
    if (part === '}' && openBraces-- > 0) return ')';
    return RE2JS.quote(part);
  });
}

function toClass(members: string): string {
  const isNegated = /^[!^]/.test(members);
  const escaped = members.slice(isNegated ? 1 : 0).replaceAll(/[\\[\]^&]/g, '\\$&');
  return isNegated ? `[^/${escaped}]` : `[${escaped}]`;
}
