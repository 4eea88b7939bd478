// The pages name only options, configuration keys, variables and job keys that flwd has.

import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { isObject } from '../../src/catalog/arguments/subschemas.ts';
import { configSchema } from '../../src/catalog/job/config-schema.ts';
import { commands } from '../../src/cli/commands.ts';
import { variables } from '../../src/config/environment.ts';
import { root as flwdYaml, keyPaths, type Section, type Shape } from '../../src/config/shape.ts';
import { keySpellings } from '../../src/config/spellings.ts';
import { auditActions } from '../../src/domain/audit.ts';
import { type Block, blocksOf, pages, read } from './pages.ts';

const run = commands.find(({ name }) => name === 'run');
/** Arguments of the jobs in the examples. */
const exampleArguments = ['who', 'times', 'source', 'target', 'keep', 'keep.days', 'host'];
const byLength = commands.toSorted((a, b) => b.name.length - a.name.length);
const sections = new Set(keyPaths.map((path) => path.split(/[.[]/, 1)[0]));
const variableSections = [...new Set([...variables.keys()].map((name) => name.replace(/_.*/, '')))].join('|');
const jobKeys = new Set(Object.keys(configSchema.properties));
/** These fields of a run and actions of the audit log look like keys of flwd.yaml. */
const namesake = new Set<string>([
  ...auditActions,
  'security.profile',
  'security.isolation',
  'security.isolation.seccomp',
]);

describe.each(pages)('%s', (page) => {
  test('names only options that flwd has', () => {
    expect(callsIn(page).flatMap(unknownOptions)).toEqual([]);
  });

  test('names only keys that flwd.yaml has', () => {
    const keys = inlineCode(page).flatMap((span) => /^([a-z_]+(?:\.[\w<>*-]+)+)(?::.*)?$/.exec(span)?.[1] ?? []);
    const unknown = keys.filter((key) => looksLikeFlwdYaml(key) && !isKeyOfFlwdYaml(key));
    expect(unknown).toEqual([]);
  });

  test('names only variables that override a key of flwd.yaml', () => {
    const names = [...read(page).matchAll(new RegExp(`\\bFLWD_((?:${variableSections})_[A-Z_]+)`, 'g'))];
    expect(names.map(([, name = '']) => name).filter((name) => !variables.has(name))).toEqual([]);
  });

  test('uses only known keys in its examples of flwd.yaml and config.yaml', () => {
    const blocks = blocksOf(page).filter(({ language }) => language === 'yaml');
    expect(blocks.flatMap(unknownKeys)).toEqual([]);
  });
});

function inlineCode(page: string): string[] {
  const prose = read(page).replaceAll(/^```.*?^```$/gms, '');
  return [...prose.matchAll(/`([^`]+)`/g)].map(([, span = '']) => span.replaceAll('\n', ' '));
}

/** The words after `flwd`, from the page's commands and from its sentences. */
function callsIn(page: string): string[] {
  const lines = blocksOf(page)
    .filter(({ language }) => language === 'sh')
    .flatMap(({ text }) => text.replaceAll('\\\n', ' ').split('\n'));
  return [...lines, ...inlineCode(page)].flatMap((line) =>
    [...line.matchAll(/(?:^|[;&|(]\s*|npx |sudo -u \w+ |[A-Z_]+=\S+ )flwd ((?:[^;&|#"'`)]|'[^']*'|"[^"]*")*)/g)].map(
      ([, call = '']) => call.trim(),
    ),
  );
}

function unknownOptions(call: string): string[] {
  // The words after `--` belong to the job.
  const before = call.replace(/ -- .*/, '').split(/\s+/);
  const plain = before.filter((word) => !word.startsWith('-')).join(' ');
  const command = byLength.find(({ name }) => `${plain} `.startsWith(`${name} `)) ?? run;
  if (command === undefined) return [];
  const takesArguments = command.argumentsOf || command.isLikelyNamespace;
  const known = new Set([
    '--help',
    ...command.options.flatMap(({ name, short }) => [`--${name}`, `-${short ?? name}`]),
    ...(takesArguments ? exampleArguments.map((name) => `--${name}`) : []),
  ]);
  const options = before
    .map((word) => word.replace(/=.*/, '').replace(/[,.:…]+$/, ''))
    .filter((word) => /^--?[a-z]/.test(word));
  return options.filter((option) => !known.has(option)).map((option) => `${option} of flwd ${call}`);
}

function looksLikeFlwdYaml(key: string): boolean {
  const [first = ''] = key.split('.');
  return sections.has(first) && !jobKeys.has(first) && !namesake.has(key) && !key.endsWith('.ts');
}

/** A section counts as well, such as `persistence.retention`. */
function isKeyOfFlwdYaml(key: string): boolean {
  const wanted = key.replaceAll(/<\w+>|\*/g, 'x').split('.');
  return [...keyPaths, ...Object.keys(keySpellings)].some((path) => {
    const known = path.replace('[]', '').split('.');
    return wanted.every((word, at) => known[at] === word || known[at]?.startsWith('<'));
  });
}

function unknownKeys({ text, place }: Block): string[] {
  return parseAllDocuments(text).flatMap((document) => {
    const value: unknown = document.toJS();
    if (!isObject(value)) return [];
    const names = Object.keys(value);
    // The block is an example for another program, such as Prometheus.
    if (names.every((name) => !sections.has(name) && !jobKeys.has(name))) return [];
    const [asConfiguration, asJob] = [notInFlwdYaml(flwdYaml, value, ''), notInSchema(configSchema, value, '')];
    const unknown = asConfiguration.length < asJob.length ? asConfiguration : asJob;
    return unknown.map((key) => `${place}: ${key}`);
  });
}

function notInFlwdYaml(shape: Shape | Section, value: unknown, at: string): string[] {
  if (shape.type === 'list')
    return Array.isArray(value) ? value.flatMap((item) => notInFlwdYaml(shape.item, item, at)) : [];
  if (!isObject(value)) return [];
  if (shape.type === 'map') return Object.values(value).flatMap((item) => notInFlwdYaml(shape.item, item, at));
  if (shape.type === 'key') return [];
  if (shape.type === 'spelling') return [`${at.slice(0, -1)} is another name of our key`];
  return Object.entries(value).flatMap(([name, inner]) => {
    const member = shape.members.get(name);
    return member ? notInFlwdYaml(member, inner, `${at}${name}.`) : [`${at}${name}`];
  });
}

function notInSchema(schema: unknown, value: unknown, at: string): string[] {
  if (!isObject(schema)) return [];
  if (Array.isArray(value)) return value.flatMap((item) => notInSchema(schema.items, item, at));
  const { properties } = schema;
  if (!isObject(value) || !isObject(properties)) return [];
  return Object.entries(value).flatMap(([name, inner]) =>
    Object.hasOwn(properties, name) ? notInSchema(properties[name], inner, `${at}${name}.`) : [`${at}${name}`],
  );
}
