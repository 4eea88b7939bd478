// Reads the calls in a Python or Node script to find the files that the script reads or writes.

import {
  argumentText,
  homeText,
  ofArgument,
  placeOf,
  type Roots,
  scriptText,
  unknownText,
  workspaceFile,
} from './place.ts';
import { type ScriptArgument, userHome } from './script-arguments.ts';
import { bracketed, splitItems } from './source-literals.ts';
import { type FileUse, noUses, type Uses } from './uses.ts';

type Language = 'python' | 'node';

type Reader = {
  readonly language: Language;
  readonly roots: Roots;
  /**
   * The names of the script's arguments, by the expressions for them in the code: `args.output`, `sys.argv[1]`,
   * `process.env.HOOK`.
   */
  readonly arguments: ReadonlyMap<string, string>;
  /** The expression of the first assignment to each variable. */
  readonly variables: ReadonlyMap<string, string>;
};

/** Limits for files that no person wrote. */
const mostCalls = 5_000;
const mostOfCall = 4_000;

export function codeUses(
  language: Language,
  text: string,
  o: { readonly arguments: readonly ScriptArgument[]; readonly roots: Roots; readonly network: string | undefined },
): Uses {
  const code = withoutComments(text);
  const parsed = parsedIn(code);
  const reader: Reader = {
    language,
    roots: o.roots,
    arguments: new Map(o.arguments.flatMap((one) => namesOf(language, one, { all: o.arguments, parsed }))),
    variables: assignmentsIn(code),
  };
  const files: FileUse[] = [];
  const left = new Set<string>();
  const here: { name: string; line: number }[] = [];
  let [calls, line, counted] = [0, 1, 0];
  for (const { index, 1: name = '' } of code.matchAll(/([\w$]+(?:\.[\w$]+)*|\.[\w$]+(?:\.[\w$]+)*)\s*\(/g)) {
    calls += 1;
    if (calls > mostCalls) break;
    const open = code.indexOf('(', index);
    const items = splitItems(bracketed(code.slice(open, open + mostOfCall), 0) ?? '');
    const method = name.slice(name.lastIndexOf('.') + 1);
    line += code.slice(counted, index).split('\n').length - 1;
    counted = index;
    const receiver = name.includes('.') ? receiverOf(code, open, method) : undefined;
    for (const { kind, expression, isNewFile } of usesOfCall(language, { name, method, receiver, items })) {
      const written = textOf(reader, expression);
      const place = placeOf(written, o.roots);
      if (place) files.push({ kind, place, line, by: method, isNewFile: isNewFile && place.isWhole });
      const file = workspaceFile(written);
      if (file !== undefined && kind === 'read') here.push({ name: file, line });
      else if (file !== undefined && isNewFile) left.add(file);
    }
  }
  for (const { opens, name, line } of o.arguments)
    if (opens)
      files.push({
        kind: opens,
        place: ofArgument(name),
        line,
        by: 'FileType',
        isNewFile: opens === 'write',
      });
  // If the default of an argument such as `output` is a relative name, the file is in the workspace, unless a run gives
  // another path.
  for (const { kind, place, isNewFile } of files) {
    const preset = o.arguments.find(({ name }) => name === place.arg)?.schema.default;
    const file = kind === 'write' && isNewFile && typeof preset === 'string' ? workspaceFile(preset) : undefined;
    if (file !== undefined) left.add(file);
  }
  return { ...noUses, files, network: o.network, left: [...left], here };
}

/**
 * Returns the path that an expression without arguments stands for, as in `join(homedir(), '.config/x')`; undefined if
 * it is known only at run time.
 */
export function pathOfExpression(language: Language, code: string, expression: string): string | undefined {
  const reader = { language, roots: { home: userHome() }, arguments: new Map(), variables: assignmentsIn(code) };
  const place = placeOf(textOf(reader, expression), reader.roots);
  return place?.isWhole === true ? place.path : undefined;
}

/** Blanks out comments without moving the lines. */
function withoutComments(text: string): string {
  return text.replaceAll(/^[ \t]*(?:#|\/\/|\*|\/\*).*$/gm, (comment) => ' '.repeat(comment.length));
}

/** The names of the variables whose members are the script's options, such as `args` in Python. */
function parsedIn(code: string): string[] {
  const found = code.matchAll(
    /(\w+)(?:\s*,\s*\w+)?\s*=\s*[\w.]+\.parse(?:_known)?_args\(|\{[^{}]*\bvalues\b(?:\s*:\s*(\w+))?[^{}]*\}\s*=\s*parseArgs\(/g,
  );
  return [...found].map(({ 1: python, 2: node }) => python ?? node ?? 'values');
}

/** Returns the expressions in the code that stand for an argument. */
function namesOf(
  language: Language,
  one: ScriptArgument,
  { all, parsed }: { readonly all: readonly ScriptArgument[]; readonly parsed: readonly string[] },
): [string, string][] {
  const { handing, name, variable = name } = one;
  if (one.schema.type !== 'string') return [];
  const value = argumentText(name);
  const at = all.filter((other) => other.handing.as === 'position').indexOf(one);
  if (handing.as === 'environment')
    return language === 'python'
      ? [[`os.environ.${handing.variable}`, value]]
      : [[`process.env.${handing.variable}`, value]];
  const own = parsed.map((object): [string, string] => [`${object}.${variable}`, value]);
  if (at < 0) return own;
  return [...own, [language === 'python' ? `sys.argv[${at + 1}]` : `process.argv[${at + 2}]`, value]];
}

function assignmentsIn(code: string): Map<string, string> {
  const found = new Map<string, string>();
  const keep = (name: string, expression: string): void => {
    if (!found.has(name)) found.set(name, expression.trim().replace(/;$/, ''));
  };
  for (const { 1: names = '', 2: value = '' } of code.matchAll(
    /^[ \t]*(?:export\s+)?(?:const|let|var)?[ \t]*([A-Za-z_]\w*(?:[ \t]*,[ \t]*[A-Za-z_]\w*)*)(?:[ \t]*:[ \t]*[\w[\]., |]+)?[ \t]*=(?![=>])[ \t]*(.+)$/gm,
  )) {
    const targets = names.split(',').map((name) => name.trim());
    const values = targets.length === 1 ? [value] : splitItems(value);
    if (values.length === targets.length) for (const [at, name] of targets.entries()) keep(name, values[at] ?? '');
  }
  // In a loop over a folder, the variable stands for a file or folder in it.
  for (const { 1: name = '', 2: folder = '' } of code.matchAll(
    /\bfor[ \t]+(\w+)[ \t]+in[ \t]+(?:sorted\(|list\()?([\w.()"'/ ]+?)\.(?:glob|rglob|iterdir)\(/g,
  ))
    keep(name, `${folder} / _`);
  return found;
}

/** The expression before `.method(`. */
function receiverOf(code: string, open: number, method: string): string {
  const end = code.lastIndexOf(`.${method}`, open);
  let at = end - 1;
  let depth = 0;
  for (; at >= 0; at--) {
    const character = code[at] ?? '';
    if (/[)\]]/.test(character)) depth += 1;
    else if (/[([]/.test(character)) {
      if (depth === 0) break;
      depth -= 1;
    } else if (depth === 0 && !/[\w.$]/.test(character)) break;
    if (end - at > 500) break;
  }
  return code.slice(at + 1, end);
}

type CallUse = { readonly kind: 'read' | 'write'; readonly expression: string; readonly isNewFile: boolean };
type Call = {
  readonly name: string;
  readonly method: string;
  readonly receiver: string | undefined;
  readonly items: readonly string[];
};

const pythonReadMethods = /^(?:read_text|read_bytes|iterdir|glob|rglob|exists|is_file|is_dir|stat)$/;
const pythonWriteMethods = /^(?:write_text|write_bytes|mkdir|unlink|touch|rename|replace|rmdir|chmod|symlink_to)$/;
const pythonWriters =
  /^(?:os\.(?:remove|unlink|makedirs|mkdir|rename|replace|rmdir|removedirs|chmod|chown|utime|truncate)|shutil\.(?:rmtree|move|chown)|sqlite3\.connect|(?:logging\.)?(?:handlers\.)?(?:Rotating|TimedRotating|Watched)?FileHandler)$/;
const pythonReaders =
  /^(?:os\.(?:listdir|walk|scandir|stat|access|path\.(?:exists|isfile|isdir|getsize|getmtime))|glob\.i?glob|i?glob|Path\.open)$/;
const nodeReaders =
  /^(?:readFile|readdir|createReadStream|stat|lstat|access|exists|opendir|readlink|realpath|watch|glob)(?:Sync)?$/;
const nodeWriters =
  /^(?:writeFile|appendFile|createWriteStream|mkdir|rm|unlink|rmdir|chmod|chown|utimes|truncate|rename)(?:Sync)?$/;
const nodeMakers = /^(?:writeFile|appendFile|createWriteStream)(?:Sync)?$/;
const copies = /^(?:copy|copy2|copyfile|copytree|make_archive|copyFile|cp|copyFileSync|cpSync)$/;

function usesOfCall(language: Language, call: Call): CallUse[] {
  const { method, items } = call;
  const [first = '', second = ''] = items;
  const use = (kind: CallUse['kind'], expression: string, isNewFile = false): CallUse => ({
    kind,
    expression,
    isNewFile,
  });
  if (copies.test(method)) return [use('read', first), use('write', second)];
  return language === 'python' ? ofPython(call, use) : ofNode(call, use);
}

/** `'w'`, `"ab"` */
function isWriteMode(mode: string): boolean {
  return /["'][^"']*[wax+]/.test(mode);
}

function ofPython(
  { name, method, receiver, items }: Call,
  use: (...words: [CallUse['kind'], string, boolean?]) => CallUse,
): CallUse[] {
  const [first = '', second = ''] = items;
  const named = (key: string): string | undefined =>
    items
      .map((item) => new RegExp(`^${key}\\s*=\\s*([\\s\\S]*)$`).exec(item)?.[1])
      .find((value) => value !== undefined);
  if (/^(?:open|(?:io|gzip|bz2|lzma|codecs|tarfile)\.open|(?:zipfile\.)?ZipFile)$/.test(name)) {
    const isWrite = isWriteMode(named('mode') ?? (/=/.test(second) ? '' : second));
    return [use(isWrite ? 'write' : 'read', first, isWrite)];
  }
  if (name.endsWith('basicConfig')) return [use('write', named('filename') ?? '', true)];
  if (pythonWriters.test(name))
    return items
      .slice(0, /move|rename|replace/.test(name) ? 2 : 1)
      .map((item) => use('write', item, /FileHandler|connect/.test(name)));
  if (pythonReaders.test(name)) return [use('read', first)];
  if (receiver !== undefined && method === 'open')
    return [use(isWriteMode(named('mode') ?? first) ? 'write' : 'read', receiver, isWriteMode(first))];
  if (receiver !== undefined && pythonReadMethods.test(method)) return [use('read', receiver)];
  if (receiver !== undefined && pythonWriteMethods.test(method))
    return [use('write', receiver, /write_|touch/.test(method))];
  // `pandas.read_csv(args.log)`, `frame.to_csv(args.output)`
  if (/^(?:read|load|parse|process|import)(?:_|$)/.test(method))
    return items.slice(0, 1).map((item) => use('read', item));
  if (/^(?:to|write|save|export|dump)_/.test(method) || /^(?:save|savefig)$/.test(method))
    return items.map((item) => use('write', item, true));
  return [];
}

function ofNode({ method, items }: Call, use: (...words: [CallUse['kind'], string, boolean?]) => CallUse): CallUse[] {
  const [first = '', second = ''] = items;
  if (nodeReaders.test(method)) return [use('read', first)];
  if (nodeWriters.test(method))
    return items
      .slice(0, method.startsWith('rename') ? 2 : 1)
      .map((item) => use('write', item, nodeMakers.test(method)));
  if (/^open(?:Sync)?$/.test(method))
    return [use(/['"][wa]/.test(second) ? 'write' : 'read', first, /['"][wa]/.test(second))];
  if (method === 'DatabaseSync') return [use('write', first, true)];
  return [];
}

const scriptFolder =
  /^(?:(?:pathlib\.)?Path\(__file__\)(?:\.(?:resolve|absolute)\(\))?\.parent|(?:os\.)?(?:path\.)?dirname\((?:(?:os\.)?(?:path\.)?(?:abspath|realpath)\()?__file__\)?\)|import\.meta\.dirname|__dirname|(?:path\.)?dirname\(fileURLToPath\(import\.meta\.url\)\))$/;

const mostDepth = 12;

/**
 * Returns the text that an expression yields at run time. Marks replace the parts that are not known before
 * (`place.ts`).
 */
function textOf(reader: Reader, written: string, depth = 0): string {
  // In `a ?? 'b'`, only `a` counts, because `a` may be an argument that a run sets.
  const [first = ''] = splitAt(written, /^(?:\?\?|\|\|| or )/);
  const expression = first.trim();
  if (depth > mostDepth || expression === '') return unknownText;
  const again = (part: string): string => textOf(reader, part, depth + 1);
  const argument = reader.arguments.get(expression.replaceAll(/\s/g, ''));
  if (argument !== undefined) return argument;
  const summands = splitAt(expression, /^\+/);
  if (summands.length > 1) return summands.map(again).join('');
  const segments = splitAt(expression, /^\//);
  if (segments.length > 1) return joined(segments.map(again));
  const [, formatted, , quoted] = /^(?:([fF])|[rRbBuU])?("""|'''|["'`])([\s\S]*)\2$/.exec(expression) ?? [];
  if (quoted !== undefined)
    return formatted || expression.startsWith('`')
      ? quoted.replaceAll(/\$?\{([^{}]*)\}/g, (_, inner: string) => again(inner))
      : quoted;
  if (/^(?:pathlib\.)?Path\.home\(\)$|^(?:os\.)?homedir\(\)$|^process\.env\.HOME$/.test(expression)) return homeText;
  if (scriptFolder.test(expression)) return scriptText;
  const [, variable] = /^(?:os\.)?(?:environ(?:\.get)?|getenv)\s*[[(]\s*["'](\w+)["']/.exec(expression) ?? [];
  if (variable !== undefined)
    return variable === 'HOME' ? homeText : (reader.arguments.get(`os.environ.${variable}`) ?? unknownText);
  const open = expression.indexOf('(');
  const inside = open < 0 ? undefined : bracketed(expression, open);
  if (open === 0 && inside?.length === expression.length - 2) return again(inside);
  if (inside !== undefined) return ofCall(expression, { open, inside, textOf: again });
  const assigned = reader.variables.get(expression);
  return assigned === undefined || assigned === expression ? unknownText : again(assigned);
}

/** Returns the path that a call builds from other paths: `join(home, 'x')`, `Path(x).expanduser()`. */
function ofCall(
  expression: string,
  o: { readonly open: number; readonly inside: string; readonly textOf: (part: string) => string },
): string {
  const name = expression.slice(0, o.open).trim();
  const after = expression.slice(o.open + o.inside.length + 2);
  if (!/^(?:\.(?:expanduser|resolve|absolute|as_posix)\(\))*$/.test(after)) return unknownText;
  const isOfHome = after.includes('.expanduser(') || name.endsWith('expanduser');
  const [, receiver] = /^(.+)\.(?:expanduser|resolve|absolute|as_posix|joinpath)$/.exec(name) ?? [];
  const isPath = /(?:^|\.)(?:join|resolve|Path|PurePath|str|String|abspath|realpath|normpath|fspath|expanduser)$/.test(
    name,
  );
  const items = splitItems(o.inside).map(o.textOf);
  const isOfObject = receiver !== undefined && !/^(?:os\.)?path$/.test(receiver);
  if (!isPath && !isOfObject) return unknownText;
  const path = joined(isOfObject ? [o.textOf(receiver), ...items] : items);
  return isOfHome ? path.replace(/^~(?=\/|$)/, homeText) : path;
}

/** Splits outside of brackets and strings. */
function splitAt(text: string, separator: RegExp): string[] {
  const parts: string[] = [];
  let from = 0;
  let depth = 0;
  let quote = '';
  for (let at = 0; at < text.length; at++) {
    const character = text[at] ?? '';
    if (quote !== '') {
      if (character === '\\') at += 1;
      else if (character === quote) quote = '';
    } else if (/["'`]/.test(character)) quote = character;
    else if (/[([{]/.test(character)) depth += 1;
    else if (/[)\]}]/.test(character)) depth -= 1;
    else if (depth === 0) {
      const [found] = separator.exec(text.slice(at, at + 4)) ?? [];
      if (found === undefined) continue;
      parts.push(text.slice(from, at));
      from = at + found.length;
      at = from - 1;
    }
  }
  return [...parts, text.slice(from)].filter((part) => part.trim() !== '');
}

/** Joins segments of a path. An absolute segment replaces the segments before it. */
function joined(parts: readonly string[]): string {
  return parts.reduce((path, part) => (path === '' || /^[/\uE003\uE004]/.test(part) ? part : `${path}/${part}`), '');
}
