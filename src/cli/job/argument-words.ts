// Reads the arguments of a job from a command line: `--target /srv --keep.days 7`.

import { isSecretName } from '../../domain/access/secret-name.ts';
import type { ArgumentField } from '../../domain/argument-fields.ts';
import { readFieldText, readListText, setArgument, showValue } from '../../domain/argument-fields.ts';
import { flagOf, negatedFlagOf } from '../../domain/argument-flags.ts';
import { nearest } from '../../lib/nearest.ts';
import type { Command } from '../command.ts';
import type { Call } from '../command-line.ts';
import { fileTrouble } from '../file-trouble.ts';
import { readGivenSync, tooLarge } from '../given-file.ts';
import { ownName } from '../own-name.ts';

function splitAtEquals(word: string): readonly [string, string?] {
  const at = word.indexOf('=');
  return word.startsWith('-') && at > 0 ? [word.slice(0, at), word.slice(at + 1)] : [word];
}

type Args = Record<string, unknown>;

/** `path` is the argument that has the error; null if the word belongs to no argument. */
export type WordError = { readonly path: readonly string[] | null; readonly message: string };

/**
 * Sets in `base` the arguments that the words name, and collects all errors. A secret's value comes from where nobody
 * else can read it: `--token.file`, `--token.env`, or `--token.stored`, which names a stored secret.
 */
export function readArguments(
  fields: readonly ArgumentField[],
  { argumentWords: words, command }: Pick<Call, 'argumentWords' | 'command'>,
  base: Args,
  warn: (line: string) => void,
): { readonly args: Args; readonly errors: readonly WordError[] } {
  const args: Args = { ...base };
  const errors: WordError[] = [];
  const lists = new Map<ArgumentField, Text[]>();
  const given = new Set<ArgumentField>();
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? '';
    if (!word.startsWith('--') || word === '--') {
      errors.push({
        path: null,
        message: strayWord(
          word,
          fields,
          words.slice(0, at).findLast((one) => one.startsWith('--')),
        ),
      });
      continue;
    }
    const [written, inline] = splitAtEquals(word);
    const found = findField(fields, written.slice(2));
    const next = words[at + 1];
    if (!found) {
      errors.push({ path: null, message: unknownFlag(fields, written.slice(2), command) });
      // The next word is most likely the value of the unknown option, so it is skipped.
      if (inline === undefined && next !== undefined && !next.startsWith('--')) at++;
      continue;
    }
    const { field } = found;
    const refuse = (message: string): void => {
      errors.push({ path: field.path, message });
    };
    if (found.isNegated && inline !== undefined) {
      refuse(`${written} takes no value: write ${flagOf(field)} or ${negatedFlagOf(field)}`);
      continue;
    }
    const isSwitch = field.kind === 'boolean' && inline === undefined;
    const isNextItsValue = isSwitch ? isTruth(next) && !found.isNegated : inline === undefined;
    if (isNextItsValue && (next === undefined || next.startsWith('--'))) {
      refuse(needsArgument(written, field));
      continue;
    }
    const text = isNextItsValue ? (words[++at] ?? '') : (inline ?? String(!found.isNegated));
    if (field.kind === 'list') {
      lists.set(field, [...(lists.get(field) ?? []), { written, text }]);
      continue;
    }
    if (given.has(field)) {
      refuse(`${flagOf(field)} is given twice`);
      continue;
    }
    given.add(field);
    if (field.kind === 'secret' && found.from === 'here' && namesStoredSecret(text)) {
      refuse(
        `the value of ${written} looks like the name of a stored secret: to use that secret, write ${written}.stored NAME. If the value is the secret itself, use ${written}.file FILE or ${written}.env NAME`,
      );
      continue;
    }
    if (field.kind === 'secret' && found.from === 'here')
      warn(
        `${written}: other users of this machine can read command lines; use ${written}.file FILE, ${written}.env NAME or ${written}.stored NAME instead`,
      );
    const read = field.kind === 'secret' ? secretFrom(found.from, text) : readFieldText(field, text);
    if ('error' in read) refuse(`${written} ${text}: ${read.error}`);
    else setArgument(args, field.path, read.value);
  }
  for (const [field, texts] of lists) {
    const unsplit = field.itemKind === 'text' ? whatIsUnsplit(texts) : undefined;
    if (unsplit !== undefined) warn(unsplit);
    const { items, wrong } = readList(field, texts);
    errors.push(...wrong.map((message) => ({ path: field.path, message })));
    if (items.length > 0 || wrong.length === 0) setArgument(args, field.path, items);
  }
  return { args, errors };
}

/** An item of a list. `written` is the flag before it. */
type Text = { readonly written: string; readonly text: string };

/** Returns the items of a list. Each text is an item. A single text may also be the whole list, as JSON. */
function readList(field: ArgumentField, texts: readonly Text[]) {
  const whole = texts.length === 1 ? readListText(texts[0]?.text ?? '') : undefined;
  if (whole) return { items: whole, wrong: [] };
  const items: unknown[] = [];
  const wrong: string[] = [];
  for (const { written, text } of texts) {
    const read = readFieldText(field, text);
    if ('error' in read) wrong.push(`${written} ${text}: ${read.error}`);
    else items.push(read.value);
  }
  return { items, wrong };
}

/** Explains a single text that many other programs split at its commas. Here it is one item, which may have commas. */
function whatIsUnsplit([only, another]: readonly Text[]): string | undefined {
  if (!only || another || !/^[\w.:@/-]+(?:,[\w.:@/-]+)+$/.test(only.text)) return undefined;
  const { written, text } = only;
  return `${written} ${text} is one item; for several items, write ${written} ${text.replaceAll(',', ` ${written} `)}`;
}

/** Errors for options after the job's name that could be flwd's or the job's. */
export function sharedWords(
  fields: readonly ArgumentField[],
  { command, operands, optionsAfterJob }: Pick<Call, 'command' | 'operands' | 'optionsAfterJob'>,
): WordError[] {
  return [...new Set(optionsAfterJob)].flatMap((name) => {
    const found = findField(fields, name);
    if (!found) return [];
    const value = command.options.some((option) => option.name === name && option.value) ? ' VALUE' : '';
    const forJob = found.field.kind === 'boolean' ? '' : ' VALUE';
    const message =
      `Both flwd and the job have \`--${name}\`. For the job, end the line with \`-- --${name}${forJob}\`; ` +
      `for flwd, write \`flwd ${command.name} --${name}${value} ${operands.join(' ')}\`.`;
    return [{ path: found.field.path, message }];
  });
}

/** Whether the text looks like a reference to a stored secret in config.yaml: `secret:NAME` or `{secret: NAME}`. */
function namesStoredSecret(text: string): boolean {
  const [, name = ''] = /^(?:\{ ?)?"?secret"?: ?"?([^"\s}]*)"?(?: ?\})?$/.exec(text) ?? [];
  return isSecretName(name);
}

type SecretFrom = 'here' | 'file' | 'env' | 'stored';

type Read = { readonly value: unknown } | { readonly error: string };

function secretFrom(from: SecretFrom, text: string): Read {
  if (from === 'stored') return { value: { secret: text } };
  if (from === 'here') return { value: text };
  if (from === 'file') return readSecretFile(text);
  const value = process.env[text];
  return value === undefined ? { error: 'the environment has no such variable' } : { value };
}

/** `-` means standard input. One newline at the end is not part of the secret. */
function readSecretFile(path: string): Read {
  try {
    const bytes = readGivenSync(path);
    return bytes ? { value: bytes.toString().replace(/\r?\n$/, '') } : { error: tooLarge };
  } catch (error) {
    return { error: `cannot be read: ${fileTrouble(error)}` };
  }
}

type Found = { readonly field: ArgumentField; readonly isNegated: boolean; readonly from: SecretFrom };

/** Finds an argument by the name of its option. `-` and `_` are the same, unless two arguments differ only in them. */
export function findField(fields: readonly ArgumentField[], name: string): Found | undefined {
  const full = withoutPrefix(name);
  const exact = (wanted: string): ArgumentField | undefined => fields.find(({ path }) => path.join('.') === wanted);
  const loose = (wanted: string): ArgumentField | undefined => {
    const [field, other] = fields.filter(({ path }) => withHyphens(path.join('.')) === withHyphens(wanted));
    return other ? undefined : field;
  };
  for (const byName of [exact, loose]) {
    const field = byName(name) ?? byName(full);
    if (field) return { field, isNegated: false, from: 'here' };
    const negated = full.startsWith('no-') ? byName(full.slice('no-'.length)) : undefined;
    if (negated?.kind === 'boolean') return { field: negated, isNegated: true, from: 'here' };
    const [, stem = '', from] = /^(.+)\.(file|env|stored)$/.exec(full) ?? [];
    const secret = byName(stem);
    if (secret?.kind === 'secret' && (from === 'file' || from === 'env' || from === 'stored'))
      return { field: secret, isNegated: false, from };
  }
  return undefined;
}

function withoutPrefix(name: string): string {
  return name.replace(/^args\./, '');
}

function unknownFlag(fields: readonly ArgumentField[], name: string, { options }: Command): string {
  if (name === 'dry-run')
    return `the job takes no --dry-run; ${ownName} plan JOB shows what a run would do, and starts nothing`;
  const isRerun = options.some((option) => option.name === 'from');
  if (['failed', 'from-failed'].includes(name) && isRerun)
    return `the job takes no --${name}; to repeat the steps that did not succeed, write --from failed`;
  const startsRun = options.some((option) => option.name === 'detach');
  const isForeign = startsRun && !fields.some((each) => flagOf(each).startsWith(`--${name}`));
  if (isForeign && !isRerun && ['from', 'step'].includes(name))
    return `the job takes no --${name}; ${ownName} rerun RUN --from STEP starts a run again from a step`;
  if (isForeign && ['wait', 'watch', 'follow', 'background', 'async'].includes(name))
    return `the job takes no --${name}; ${ownName} waits until the run ends; with --detach, it does not wait`;
  if (name === 'timeout')
    return 'the job takes no --timeout; `timeouts` in its config.yaml limits the time of a run: `timeouts: {run: 30s}`';
  // A secret must not be typed, so the suggestion says where to read it from.
  const spellings = new Map(
    fields.flatMap((each) => [
      [flagOf(each), safeFlagOf(each)] as const,
      ...(each.kind === 'secret' ? secretFlagsOf(each).map((flag) => [flag, flag] as const) : []),
    ]),
  );
  for (const option of options) spellings.set(`--${option.name}`, `--${option.name}`);
  // Options are compared without the dashes, which all of them share.
  const names = [...spellings.keys()].map((flag) => flag.replace(/^--/, ''));
  const like = nearest(withoutPrefix(name), names);
  const near = like === undefined ? undefined : spellings.get(`--${like}`);
  const there = fields.length === 0 ? 'it takes no arguments' : `it takes ${fields.flatMap(flagsOf).join(', ')}`;
  return `the job takes no --${name}${near ? `; did you mean \`${near}\`?` : `: ${there}`}`;
}

function withHyphens(name: string): string {
  return name.replaceAll('_', '-');
}

function secretFlagsOf(field: ArgumentField): string[] {
  return ['file', 'env', 'stored'].map((from) => `${flagOf(field)}.${from}`);
}

function flagsOf(field: ArgumentField): string[] {
  return field.kind === 'secret' ? secretFlagsOf(field) : [flagOf(field)];
}

function safeFlagOf(field: ArgumentField): string {
  return field.kind === 'secret' ? `${flagOf(field)}.file` : flagOf(field);
}

/** Returns the flag with a placeholder: `--count N`, `--token.file FILE`. */
export function usageOfField(field: ArgumentField): string {
  return `${safeFlagOf(field)} ${field.kind === 'secret' ? 'FILE' : placeholderOf(field)}`;
}

/** Lists all ways to give the argument, for a message that it is missing. */
export function waysToGive(field: ArgumentField): string {
  const flag = flagOf(field);
  return field.kind === 'secret' ? `${flag}.file FILE, ${flag}.env NAME or ${flag}.stored NAME` : usageOfField(field);
}

function isTruth(word: string | undefined): boolean {
  return word === 'true' || word === 'false';
}

function needsArgument(written: string, field: ArgumentField): string {
  const usage = `${written} ${placeholderOf(field)}`;
  return `${written} needs a value: ${usage}; write a value that begins with -- as ${written}=--…`;
}

/** Describes a word that belongs to no flag. `before` is the nearest flag on its left. */
function strayWord(word: string, fields: readonly ArgumentField[], before: string | undefined): string {
  return `unexpected word \`${word}\`: ${strayHint(word, fields, before)}`;
}

function strayHint(word: string, fields: readonly ArgumentField[], before = ''): string {
  if (fields.length === 0) return 'the job takes no arguments';
  const field = findField(fields, splitAtEquals(before)[0].slice(2))?.field;
  if (field?.kind === 'list') return `give each value its own flag: ${flagOf(field)} ${word}`;
  if (field?.kind === 'text') return `put a value of several words in quotes: ${flagOf(field)} "… ${word}"`;
  const examples = fields.slice(0, 3).map(usageOfField);
  return `the job's arguments are ${examples.join(' ')}${fields.length > examples.length ? ' …' : ''}`;
}

/** Returns the placeholder for a value in help texts: `TEXT`, `a|b|c`. */
function placeholderOf({ kind, itemKind, choices }: ArgumentField): string {
  const shown = itemKind ?? kind;
  if (shown === 'choice') return choices.length <= 5 ? choices.map(showValue).join('|') : 'CHOICE';
  return {
    text: 'TEXT',
    integer: 'N',
    number: 'NUMBER',
    boolean: 'true|false',
    secret: 'SECRET',
    json: 'JSON',
    list: 'JSON',
  }[shown];
}
