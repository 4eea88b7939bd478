// Sums up in one line what a script printed last on standard error: the program's own words, and the place in the
// script at which bash stopped.

/** What libexec/prelude.bash prints when a command fails. */
type BashFailure = {
  /** File and line, such as `run.sh:3`. */
  readonly place: string;
  readonly command: string;
};

export type ErrorLines = {
  /** The last lines of the script and its programs, oldest first. */
  readonly own: readonly string[];
  readonly bash: BashFailure | undefined;
};

const bashFailure = /^(.+:\d+): failed with status \d+: (.*)$/;

export function readErrorLines(lines: readonly string[]): ErrorLines {
  const at = lines.findLastIndex((line) => bashFailure.test(line));
  const [, place, command] = bashFailure.exec(lines[at] ?? '') ?? [];
  if (place === undefined || command === undefined) return { own: lines, bash: undefined };
  // An EXIT trap may print more, but that is not why the script failed.
  return { own: lines.slice(0, at), bash: { place, command } };
}

const mostOfCommand = 120;

/** Why a script that exited with `code` failed, in its own words. */
export function exitMessage(code: number, lines: ErrorLines): string {
  const { own, bash } = lines;
  const exited = `exited with code ${code}`;
  const said = isSilent(lines) ? undefined : lastWords(own);
  if (!bash) return said === undefined ? exited : `${exited}: ${withoutFolder(said)}`;
  const { place } = bash;
  const command = shorten(bash.command);
  if (said === undefined) return `${exited}: ${command} (${place})`;
  const words = withoutPlace(withoutFolder(said), place);
  return `${exited}: ${words} (${isAbout(words, bash.command) ? place : `${place}: ${command}`})`;
}

/** Whether the command that failed in bash printed nothing. The last line is then about something else. */
export function isSilent({ own, bash }: ErrorLines): boolean {
  if (!bash) return false;
  return printsNothing(bash.command) || (asksForKey(bash.command) && !saysWhyNoKey.test(own.at(-1) ?? ''));
}

function printsNothing(command: string): boolean {
  return /^(?:false|test|let|exit|return|wait|read|grep|diff|cmp)\b|^(?:\[|\(\()/.test(command) || isQuietCurl(command);
}

/** One word of a command, with its quotes. */
const word = /(?:[^\s"'\\|&;<>()]|\\.|"[^"]*"|'[^']*')+/.source;
const option = `'?--(?:version|namespace(?:=${word}|'? +${word}))?'?`;
const redirection = `1?>>? *${word}`;
const keyWithoutDefault = new RegExp(
  `^(?:\\w+=)?"?(?:\\$\\()?'?flwd_kv_get'?(?: +${option})* +(?!'?--)${word}(?: +${redirection})*\\)?"?$`,
);

/** Whether the command is only `flwd_kv_get` without a default. For a key that does not exist, it prints nothing. */
export function asksForKey(command: string): boolean {
  return keyWithoutDefault.test(command);
}

/** Matches messages of flwd_kv_get itself, and messages of bash about the file that flwd_kv_get writes to. */
const saysWhyNoKey = /^flwd_kv_get: |^usage: flwd_kv_get |: line \d+: /;

export function isQuietCurl(command: string): boolean {
  return /^curl\b/.test(command) && /\s(?:-[a-zA-Z]*s[a-zA-Z]*|--silent)\b/.test(command) && !saysErrors(command);
}

function saysErrors(command: string): boolean {
  return /\s(?:-[a-zA-Z]*S[a-zA-Z]*|--show-error)\b/.test(command);
}

/**
 * Matches lines that follow the error itself: frames of a stack, the files that Node lists after a missing module, the
 * rest of Node's dump of an error, the rest of Python's dump of an error if Python has no memory to print it, what tar,
 * make, rsync and git print after an error, and continuations of the line before.
 */
const afterwards =
  /^(?:\s+at |\t|Node\.js v\d|\s*[{}\])]+[,;]?$|\s+(?!\w*Error: )\w+: |note: |set: usage: |rsync error: |tar(?: \(child\))?: (?:Error is not recoverable|Child returned status |Removing leading |.*: Cannot write: Broken pipe$)|make(?:\[\d+\])?: \*\*\* \[.*\] Error \d+$|and the repository exists|Please make sure you have the|fatal: Could not read from remote repository|Require stack:$|- \/\S+$|\(Use `node --trace-|\s+\+-)|object (?:address|refcount|type|repr) *: |lost sys\.stderr$|see previous errors|due to previous errors/;

const unwrittenFile = /([^\s:'"‘’]+)['’"]?: Read-only file system$/;
const missingFile = /([^\s:'"‘’]+)['’"]?(?: for reading)?: No such file or directory$/;

/** Whether the line may say what is wrong. */
export function isError(line: string): boolean {
  return !afterwards.test(line);
}

/**
 * The lines that may say what is wrong. Leaves out a line about a missing file if an earlier line says that the file
 * could not be written.
 */
export function errorsIn(lines: readonly string[]): string[] {
  const errors = lines.filter(isError);
  const unwritten = errors.map((line) => unwrittenFile.exec(line)?.[1]);
  return errors.filter((line, at) => {
    const missing = missingFile.exec(line)?.[1];
    return missing === undefined || !unwritten.slice(0, at).includes(missing);
  });
}

/** The last error, and the error that caused it if the program printed both. */
function lastWords(lines: readonly string[]): string | undefined {
  const errors = errorsIn(lines);
  const last = (errors.at(-1) ?? lines.at(-1))?.trim().replace(/^object type name: /, '');
  if (last === undefined) return undefined;
  const { error, cause } = causeInNode(lines) ??
    groupInPython(errors) ??
    causeInPython(lines, last) ?? { error: last, cause: '' };
  // Many programs repeat the words of the cause in the error.
  return error.includes(cause.replace(/^[\w.]+: /, '')) ? error : `${error}: ${cause.replace(/^Error: /, '')}`;
}

type Caused = { readonly error: string; readonly cause: string };

const frame = /^\s+at /;
const causeLabel = /^\s+\[(?:cause|errors)\]: /;
const causeLine = /^\s+(?:\[cause\]: |\[?\w*Error\b)/;

/** Below an error, Node prints indented lines with its members, its cause, or the errors of an AggregateError. */
function causeInNode(lines: readonly string[]): Caused | undefined {
  const at = lines.findLastIndex((line) => /^\S/.test(line) && isError(line));
  const below = lines.slice(at + 1);
  if (at < 0 || !below.some((line) => frame.test(line) || causeLabel.test(line))) return undefined;
  const cause = below.findLast((line) => causeLine.test(line)) ?? '';
  return { error: bareError(lines[at] ?? ''), cause: bareError(cause) };
}

/** Node prints `[TypeError: fetch failed] {` for an error that has members and no stack. */
function bareError(line: string): string {
  return line
    .replace(causeLabel, '')
    .replace(/(?:^| )\{$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .trim();
}

/** Python begins each line of the errors in a group with these characters. */
const inGroup = /^\s+\| /;
const groupHead = /^ {2}\| (?=(?:Base)?ExceptionGroup: )/;

function groupInPython(errors: readonly string[]): Caused | undefined {
  const group = errors.findLast((line) => groupHead.test(line));
  const last = errors.at(-1);
  if (group === undefined || last === undefined || !inGroup.test(last)) return undefined;
  return { error: group.replace(groupHead, ''), cause: last.replace(inGroup, '') };
}

const traceback = 'Traceback (most recent call last):';
const afterCause =
  /^(?:The above exception was the direct cause of the following exception|During handling of the above exception, another exception occurred):$/;

/** Python prints the error that happened first, then one of these lines, then the next error. */
function causeInPython(lines: readonly string[], error: string): Caused | undefined {
  let at = lines.lastIndexOf(traceback);
  if (lines.slice(at + 1).find((line) => /^\S/.test(line)) !== error) return undefined;
  let cause: string | undefined;
  while (at > 1 && afterCause.test(lines[at - 1] ?? '')) {
    cause = lines[at - 2];
    at = lines.lastIndexOf(traceback, at - 2);
  }
  return cause === undefined ? undefined : { error, cause };
}

/** Shells name their script by its full path. */
function withoutFolder(line: string): string {
  return line.replace(/^\/\S*\/(?=[^/\s]+: (?:line )?\d+: )/, '');
}

/** What a shell says, without the script and the line in which it happened. */
export function withoutScript(line: string): string {
  return line.replace(/^\S+: (?:line )?\d+: /, '');
}

/** Bash says `run.sh: line 3: …` for what is at `run.sh:3`. */
function withoutPlace(line: string, place: string): string {
  const [, file, number, words] = /^(.+): line (\d+): (.+)$/.exec(line) ?? [];
  return words !== undefined && `${file}:${number}` === place ? words : line;
}

function isAbout(words: string, command: string): boolean {
  const [, program] = /^(?:\S*\/)?([^/\s]+)/.exec(command) ?? [];
  return program !== undefined && words.includes(program);
}

function shorten(command: string): string {
  return command.length > mostOfCommand ? `${command.slice(0, mostOfCommand)}…` : command;
}
