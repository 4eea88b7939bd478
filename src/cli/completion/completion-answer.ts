// Finds the words that can complete a command line at its cursor. Follows the rules of command-line.ts and
// argument-words.ts.

import type { Command, Option } from '../command.ts';
import type { Index, KnownField, Named, Names } from './completion-index.ts';

export type Known = Pick<Index, 'commands' | 'leading' | 'jobs'> & {
  readonly namesOf: (kind: keyof Names) => readonly Named[];
  /** The arguments of a job, by its id or alias; empty if they are not known. */
  readonly fieldsOf: (jobId: string) => readonly KnownField[];
};

export type Answer = {
  readonly candidates: readonly Named[];
  /** Whether the shell itself has to complete the name of a file or a folder here. */
  readonly files: 'file' | 'dir' | null;
  /** The job that the command line calls, if any. */
  readonly job: string | null;
};

type Found = Pick<Answer, 'candidates' | 'files'>;
type Value = { readonly option: Option } | { readonly field: KnownField; readonly from: string };

const nothing: Found = { candidates: [], files: null };
const help: Option = { name: 'help', about: 'print what it does and takes' };
const secretSources: readonly Named[] = [
  ['file', 'from a file, - reads standard input'],
  ['env', 'from an environment variable'],
  ['stored', 'a stored secret, by its name'],
];
const shells: readonly Named[] = ['bash', 'zsh', 'fish', 'powershell'].map((shell) => [shell, '']);

/** @param cursor the index of the word being typed; later words are ignored */
export function answerTo(words: readonly string[], cursor: number, known: Known): Answer {
  const current = words[cursor] ?? '';
  const { rest, pending } = withoutLeading(words.slice(0, cursor), known);
  const found = pending
    ? { ...valuesOf({ option: pending }, current, known), job: null }
    : rest.length === 0
      ? { ...firstWord(current, known), job: null }
      : later(rest, current, known);
  return { ...found, candidates: found.candidates.filter(([value]) => value.startsWith(current)) };
}

/**
 * `flwd --remote prod runs`: skips the options before the command. `pending` is the last of these options, if its value
 * is missing.
 */
function withoutLeading(before: readonly string[], { leading }: Known) {
  let at = 0;
  while (before[at]?.startsWith('-')) {
    const [written = ''] = before[at]?.split('=', 1) ?? [];
    const option = leading.find(({ name, short }) => written === `--${name}` || written === `-${short}`);
    if (!option) break;
    const takesNext = option.value !== undefined && !before[at]?.includes('=');
    if (takesNext && at + 1 === before.length) return { rest: [], pending: option };
    at += takesNext ? 2 : 1;
  }
  return { rest: before.slice(at), pending: undefined };
}

function firstWord(current: string, known: Known): Found {
  if (current.startsWith('-')) {
    const inline = inlineValue(current, (name) => known.leading.find((option) => option.name === name));
    if (inline) return withPrefix(inline.written, valuesOf({ option: inline.found }, inline.text, known));
    return list([...[...known.leading, help].map(toFlag), ['--version', 'print the version']]);
  }
  const verbs = verbsOf(known.commands);
  if (current.startsWith(':')) return list(verbs.map(([verb, about]) => [`:${verb}`, about]));
  return list([...verbs, ...segments(known.jobs, '', current)]);
}

function verbsOf(commands: readonly Command[]): Named[] {
  const verbs = new Map<string, string>();
  for (const { name, about } of commands) {
    const [first = ''] = name.split(' ');
    if (name === first || !verbs.has(first)) verbs.set(first, name === first ? about : `${first} …`);
  }
  return [...verbs];
}

function secondWords(first: string, commands: readonly Command[]): Named[] {
  return commands
    .filter(({ name }) => name.startsWith(`${first} `))
    .map(({ name, about }): Named => [name.slice(first.length + 1), about]);
}

function later(rest: readonly string[], current: string, known: Known): Answer {
  const [first = ''] = rest;
  const spoken = [first.replace(/^:/, ''), ...rest.slice(1)];
  const command = known.commands
    .filter(({ name }) => name.split(' ').every((word, at) => word === spoken[at]))
    .toSorted((a, b) => b.name.length - a.name.length)[0];
  const run = known.commands.find(({ name }) => name === 'run');
  const group =
    spoken.length === 1 ? { candidates: secondWords(spoken[0] ?? '', known.commands), files: null } : nothing;
  // `flwd backup daily` runs a job if there is one, and otherwise writes a backup.
  const isJobOfNamespace =
    command?.isLikelyNamespace &&
    !first.startsWith(':') &&
    (rest[1] ?? '') !== '' &&
    isPartOfJob(rest.slice(0, 2), known);
  if (run && (isJobOfNamespace || (!command && group.candidates.length === 0 && !first.startsWith(':'))))
    return ofCommand(run, rest, current, known);
  if (!command) return { ...group, job: null };
  const own = ofCommand(command, rest.slice(command.name.split(' ').length), current, known);
  const jobs = command.isLikelyNamespace && rest.length === 1 ? segments(known.jobs, `${first}/`, current) : [];
  return { ...own, candidates: [...group.candidates, ...own.candidates, ...jobs] };
}

function isPartOfJob(words: readonly string[], { jobs }: Known): boolean {
  const id = words.join('/');
  return jobs.some(([known]) => known === id || known.startsWith(`${id}/`));
}

function ofCommand(command: Command, words: readonly string[], current: string, known: Known): Answer {
  const { operands, given, pending, fields, job, areAllTheJobs } = readWords(command, words, known);
  const seen = { job };
  // After the job's name, an argument of the job hides flwd's option with the same name. After `--`, flwd has no
  // options.
  const own = areAllTheJobs ? [] : [...command.options, help];
  if (pending) return { ...valuesOf(pending, current, known), ...seen };
  if (!current.startsWith('-')) {
    const positional =
      job && (given.size > 0 || current === '') ? nothing : operandsOf(command, operands, current, known);
    const flags = job && current === '' ? fieldFlags(fields, given, own) : [];
    // The word may be the name of a job and also a namespace.
    const deeper = job && given.size === 0 ? segments(known.jobs, `${operands.join('/')}/`, current) : [];
    return { files: positional.files, candidates: [...positional.candidates, ...deeper, ...flags], ...seen };
  }
  const inline = inlineValue(current, (name): Value | undefined => findValue(name, own, fields));
  if (inline) return { ...withPrefix(inline.written, valuesOf(inline.found, inline.text, known)), ...seen };
  const offered = own
    .filter(({ name, isRepeatable }) => isRepeatable || !given.has(name))
    .filter(({ name }) => !fields.some((field) => field.name === name));
  return { candidates: [...fieldFlags(fields, given, own), ...offered.map(toFlag)], files: null, ...seen };
}

/** Sorts the words between the command and the cursor into operands and options. */
function readWords(command: Command, words: readonly string[], known: Known) {
  const operands: string[] = [];
  const given = new Set<string>();
  let pending: Value | undefined;
  let areAllTheJobs = false;
  let fields: readonly KnownField[] | undefined;
  const readFields = (): readonly KnownField[] => {
    fields ??= operands.length > 0 ? known.fieldsOf(jobOf(command, operands, known)) : [];
    return fields;
  };
  for (const [at, word] of words.entries()) {
    if (pending) {
      pending = undefined;
      continue;
    }
    if (word === '--' && command.argumentsOf && operands.length > 0) areAllTheJobs = true;
    else if (word.startsWith('--') && word !== '--') {
      const [name = ''] = word.slice(2).split('=', 1);
      const own = areAllTheJobs ? [] : command.options;
      const found = findValue(name, own, own.some((option) => option.name === name) ? [] : readFields());
      given.add(found && 'field' in found ? `args.${found.field.name}` : name);
      if (found && !word.includes('=') && takesNext(found, name, words[at + 1])) pending = found;
    } else if (word.startsWith('-') && word.length > 1) {
      const option = command.options.find(({ short }) => short === word.at(-1));
      if (option) given.add(option.name);
      if (option?.value) pending = { option };
    } else operands.push(word);
  }
  const id = jobOf(command, operands, known);
  const job = known.jobs.some(([known]) => known === id) ? id : null;
  return { operands, given, pending, job, areAllTheJobs, fields: job === null ? [] : readFields() };
}

/** Returns the id of the job whose arguments may come next; empty if there is no such job. */
function jobOf({ argumentsOf }: Command, operands: readonly string[], known: Known): string {
  if (argumentsOf !== 'run') return argumentsOf ? operands.join('/') : '';
  const [word = ''] = operands;
  const [, about] = known.namesOf('runs').find(([id]) => id === word) ?? [];
  // The description of a run consists of its status and its job. A word that is not a run is a job, which stands for
  // its last run.
  return about?.split('  ')[1] ?? word;
}

function takesNext(found: Value, name: string, next: string | undefined): boolean {
  if ('option' in found) return found.option.value !== undefined;
  if (found.field.kind !== 'switch') return true;
  return !isNegation(name, found.field) && (next === 'true' || next === 'false');
}

function isNegation(name: string, field: KnownField): boolean {
  return name.replace(/^args\./, '') === `no-${field.name}`;
}

/** Finds the option of flwd or the argument of the job with this name. */
function findValue(name: string, options: readonly Option[], fields: readonly KnownField[]): Value | undefined {
  const option = options.find((option) => option.name === name);
  if (option) return { option };
  const full = name.replace(/^args\./, '');
  for (const field of fields) {
    if (field.name === full || isNegation(full, field)) return { field, from: '' };
    const from = full.startsWith(`${field.name}.`) ? full.slice(field.name.length + 1) : '';
    if (field.kind === 'secret' && secretSources.some(([source]) => source === from)) return { field, from };
  }
  return undefined;
}

function inlineValue<T>(current: string, find: (name: string) => T | undefined) {
  const [, written = '', name = '', text = ''] = /^(--([^=]+)=)(.*)$/s.exec(current) ?? [];
  const found = name === '' ? undefined : find(name);
  return found && { found, written, text };
}

/** Adds the prefix only to flwd's own candidates. The shell completes files itself, after the `=`. */
function withPrefix(prefix: string, { candidates, files }: Found): Found {
  return { candidates: candidates.map(([value, about]): Named => [prefix + value, about]), files };
}

function toFlag({ name, about }: Option): Named {
  return [`--${name}`, about];
}

/** An argument with the name of a flwd option is written in full: `--args.NAME`. */
function fieldFlags(fields: readonly KnownField[], given: ReadonlySet<string>, options: readonly Option[]): Named[] {
  return fields
    .filter(({ name, isList }) => isList || !given.has(`args.${name}`))
    .flatMap((field): Named[] => {
      const isTaken = options.some(({ name }) => name === field.name);
      const name = isTaken ? `args.${field.name}` : field.name;
      if (field.kind === 'secret') return secretSources.map(([from, how]) => [`--${name}.${from}`, field.about || how]);
      if (field.kind !== 'switch') return [[`--${name}`, field.about]];
      return [
        [`--${name}`, field.about],
        [isTaken ? `--args.no-${field.name}` : `--no-${name}`, 'set it to false'],
      ];
    });
}

function operandsOf(command: Command, operands: readonly string[], current: string, known: Known): Found {
  const [placeholder = ''] = /[A-Z]+/.exec(command.operands ?? '') ?? [];
  const count = command.operands?.split(placeholder).length ?? 0;
  const mayFollow = (command.operands?.includes('…') || operands.length < count - 1) && !command.argumentsOf;
  if (placeholder === 'JOB') {
    const base = operands.map((word) => `${word}/`).join('');
    return list(segments(known.jobs, base, current));
  }
  if (placeholder === 'NAMESPACE' && operands.length === 0) return list(segments(known.jobs, '', current));
  if (placeholder === 'COMMAND') return helpTopics(operands, current, known);
  if (operands.length > 0 && !mayFollow) return nothing;
  return named(placeholder, command.name.split(' ')[0] ?? '', current, known);
}

function helpTopics(operands: readonly string[], current: string, known: Known): Found {
  const [first] = operands;
  const base = operands.map((word) => `${word}/`).join('');
  const words =
    first === undefined ? verbsOf(known.commands) : operands.length === 1 ? secondWords(first, known.commands) : [];
  return list([...words, ...segments(known.jobs, base, current)]);
}

function valuesOf(value: Value, current: string, known: Known): Found {
  if ('field' in value) return valuesOfField(value.field, value.from, known);
  const { name, value: placeholder = '', choices } = value.option;
  if (!choices) return named(placeholder, name, current, known);
  // Completes the part after the last comma, as in `--scopes a,b`.
  const before = placeholder.includes(',') ? current.slice(0, current.lastIndexOf(',') + 1) : '';
  return list(choices.map((choice): Named => [before + choice, '']));
}

function valuesOfField(field: KnownField, from: string, known: Known): Found {
  if (field.kind === 'path' || from === 'file') return { candidates: [], files: 'file' };
  if (from === 'env') return list(Object.keys(process.env).map((name): Named => [name, '']));
  if (from === 'stored') return list(known.namesOf('secrets'));
  const choices = field.kind === 'switch' ? ['true', 'false'] : field.choices;
  return list(choices.map((choice): Named => [choice, '']));
}

function list(candidates: readonly Named[]): Found {
  return { candidates, files: null };
}

/**
 * Returns the values for a placeholder in the table of commands.
 * @param owner the name of the option, or the command's first word
 */
function named(placeholder: string, owner: string, current: string, known: Known): Found {
  if (/^(FILE|DEST|PATH)$/.test(placeholder)) return { candidates: [], files: 'file' };
  if (placeholder === 'DIR') return { candidates: [], files: 'dir' };
  if (placeholder === 'SHELL') return list(shells);
  if (placeholder === 'JOB') return list(segments(known.jobs, '', current));
  if (placeholder === 'NAMESPACE') return list(namespaces(known.jobs, current));
  if (placeholder === 'RUN') return list(known.namesOf('runs'));
  if (owner === 'restore') return { candidates: [], files: 'dir' };
  if (owner === 'remote') return list(known.namesOf('remotes'));
  if (owner === 'source') return list(known.namesOf('sources'));
  if (owner === 'tag') return list(known.namesOf('tags'));
  if (owner === 'schedule') return list(known.namesOf('schedules'));
  if (placeholder === 'BACKFILL') return list(known.namesOf('backfills'));
  if (owner === 'tokens' || owner === 'secrets' || owner === 'schedules') return list(known.namesOf(owner));
  return nothing;
}

/** Completes ids like folders: `backup/` if several jobs are below it, or the whole id if there is only one job. */
function segments(jobs: Index['jobs'], base: string, current: string): Named[] {
  const start = base + current;
  const groups = new Map<string, { about: string; count: number; whole: string }>();
  for (const [id, about] of jobs) {
    if (!id.startsWith(start)) continue;
    const cut = id.indexOf('/', start.length);
    const segment = cut < 0 ? id : id.slice(0, cut + 1);
    const group = groups.get(segment);
    if (group) group.count++;
    else groups.set(segment, { about, count: 1, whole: id });
  }
  return [...groups].map(([segment, { about, count, whole }]): Named => {
    const isAlone = count === 1;
    return [(isAlone ? whole : segment).slice(base.length), isAlone ? about : `${count} jobs`];
  });
}

function namespaces(jobs: Index['jobs'], current: string): Named[] {
  const found = new Set<string>();
  for (const [id] of jobs) {
    for (let cut = id.indexOf('/'); cut >= 0; cut = id.indexOf('/', cut + 1)) {
      if (id.startsWith(current)) found.add(id.slice(0, cut));
    }
  }
  return [...found].map((namespace): Named => [namespace, '']);
}
