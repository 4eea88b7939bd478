// Writes the small script between flwd and the user's script. flwd passes arguments as variables and files; the user's
// script expects words and environment variables.

import type { ScriptArgument } from './script-arguments.ts';

export type Wrapped = {
  readonly file: string;
  readonly arguments: readonly ScriptArgument[];
  /** The interpreter with which the wrapper starts the script; undefined if it starts the script directly. */
  readonly interpreter: string | undefined;
  /** The script accepts `--` as the end of its options. */
  readonly knowsEnd: boolean;
};

export function bashWrapper(script: Wrapped): string {
  const { file, interpreter } = script;
  const of = partsOf(script.arguments);
  const required = of.positions.filter(isAlwaysGiven).length;
  const lines = [
    '#!/usr/bin/env bash',
    `# Passes the arguments of a run to ${file}, which knows nothing of flwd. Created by flwd init --from together with`,
    '# config.yaml: change both together.',
    '',
    ...readSecretsInBash(script.arguments),
    ...of.environment.map(({ argument, variable }) => inBash(argument, (value) => `export ${variable}=${value}`)),
    '_words=()',
    ...of.options.map(optionInBash),
    ...(of.positions.length + of.rest.length > 0 && script.knowsEnd ? ['_words+=(--)'] : []),
    ...(of.positions.length > 0
      ? [
          '_positions=()',
          ...of.positions.map(({ name }) => `_positions+=("$${name}")`),
          ...(required < of.positions.length
            ? [
                '# Optional arguments at the end may be missing.',
                `while ((\${#_positions[@]} > ${required})) && [[ -z \${_positions[-1]} ]]; do unset '_positions[-1]'; done`,
              ]
            : []),
          '_words+=("${_positions[@]}")',
        ]
      : []),
    ...of.rest.map(({ name }) => `_words+=("\${${name}[@]}")`),
    '',
    `exec ${interpreter === undefined ? '' : `${interpreter} `}"$FLWD_JOB_DIR/${file}" "\${_words[@]}"${inputInBash(of.input)}`,
  ];
  return `${lines.join('\n')}\n`;
}

function isAlwaysGiven({ isRequired, schema }: ScriptArgument): boolean {
  return isRequired || schema.default !== undefined;
}

function partsOf(all: readonly ScriptArgument[]) {
  return {
    environment: all.flatMap((argument) =>
      argument.handing.as === 'environment' ? [{ argument, variable: argument.handing.variable }] : [],
    ),
    options: all.filter(({ handing: { as } }) => as === 'option' || as === 'switch'),
    positions: all.filter(({ handing: { as } }) => as === 'position'),
    rest: all.filter(({ handing: { as } }) => as === 'rest'),
    input: all.filter(({ handing: { as } }) => as === 'input'),
  };
}

/**
 * Reads secrets from their files into variables, so that the rest of the wrapper treats them like other arguments.
 * Looks for a file of every text argument, because a change of config.yaml can make any of them a secret.
 */
function readSecretsInBash(all: readonly ScriptArgument[]): string[] {
  const names = all.filter(mayBeSecret).map(({ name }) => name);
  if (names.length === 0) return [];
  return [
    '# A secret is a file, any other argument is a variable. From here on, all are variables; those not given are empty.',
    `for _name in ${names.join(' ')}; do`,
    '  if [[ -e $FLWD_SECRETS_DIR/$_name ]]; then',
    `    IFS= read -rd '' "$_name" < "$FLWD_SECRETS_DIR/$_name" || true`,
    '  elif [[ ! -v $_name ]]; then',
    `    printf -v "$_name" ''`,
    '  fi',
    'done',
  ];
}

function mayBeSecret({ schema }: ScriptArgument): boolean {
  return schema.type === 'string' && schema.enum === undefined;
}

/** Uses a pipe, so that nothing is written to a disk. */
function inputInBash(input: readonly ScriptArgument[]): string {
  return input.length === 0 ? '' : ` < <(printf '%s\\n' ${input.map(({ name }) => `"$${name}"`).join(' ')})`;
}

/** Calls `toCommand` with the quoted value. If the value may be missing, the command becomes part of an `if`. */
function inBash(argument: ScriptArgument, toCommand: (value: string) => string): string {
  const { name } = argument;
  return isAlwaysGiven(argument)
    ? toCommand(`"$${name}"`)
    : `if [[ -n $${name} ]]; then ${toCommand(`"$${name}"`)}; fi`;
}

function optionInBash(argument: ScriptArgument): string {
  const { name, handing, schema } = argument;
  if (handing.as === 'switch')
    return [[handing.flag, 'true'] as const, [handing.negation, 'false'] as const]
      .flatMap(([flag, value]) =>
        flag === undefined ? [] : [`if [[ $${name} == ${value} ]]; then _words+=(${flag}); fi`],
      )
      .join('\n');
  if (handing.as !== 'option') return '';
  const { flag, isJoined, isRepeated } = handing;
  const words = (value: string): string => (isJoined ? `${flag}=${value}` : `${flag} ${value}`);
  if (schema.type !== 'array') return inBash(argument, (value) => `_words+=(${words(value)})`);
  return isRepeated
    ? `for _item in "\${${name}[@]}"; do _words+=(${words('"$_item"')}); done`
    : `if ((\${#${name}[@]} > 0)); then _words+=(${flag} "\${${name}[@]}"); fi`;
}

/**
 * This wrapper is in JavaScript, because the sandbox may have no `node` in its PATH: only the running Node knows its
 * own path.
 */
export function nodeWrapper(script: Wrapped): string {
  const of = partsOf(script.arguments);
  const lines = [
    `// Passes the arguments of a run to ${script.file}, which knows nothing of flwd. Created by flwd init --from together with`,
    '// config.yaml: change both together.',
    '',
    "import { spawn } from 'node:child_process';",
    `import { ${script.arguments.some(mayBeSecret) ? 'existsSync, ' : ''}readFileSync } from 'node:fs';`,
    "import { constants } from 'node:os';",
    "import { join } from 'node:path';",
    '',
    "const args = JSON.parse(readFileSync(process.env.FLWD_ARGS_FILE, 'utf8'));",
    'const env = { ...process.env };',
    'const words = [];',
    '',
    ...(script.arguments.some(mayBeSecret)
      ? [
          '// A secret is a file, any other argument is a member of args.',
          'function textOf(name) {',
          '  const file = join(process.env.FLWD_SECRETS_DIR, name);',
          "  return existsSync(file) ? readFileSync(file, 'utf8') : args[name];",
          '}',
          '',
        ]
      : []),
    ...of.environment.map(
      ({ argument, variable }) =>
        `if (${inNode(argument)} !== undefined) env.${variable} = String(${inNode(argument)});`,
    ),
    ...of.options.map(optionInNode),
    ...(of.positions.length + of.rest.length > 0 && script.knowsEnd ? ["words.push('--');"] : []),
    ...(of.positions.length > 0
      ? [
          `const positions = [${of.positions.map(inNode).join(', ')}];`,
          'while (positions.length > 0 && positions.at(-1) === undefined) positions.pop();',
          "words.push(...positions.map((value) => String(value ?? '')));",
        ]
      : []),
    ...of.rest.map(({ name }) => `words.push(...(args.${name} ?? []));`),
    '',
    `const script = join(process.env.FLWD_JOB_DIR, ${JSON.stringify(script.file)});`,
    "const child = spawn(process.execPath, [script, ...words], { env, stdio: 'inherit' });",
    "child.on('close', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));",
  ].filter((line, at, all) => !(line === '' && all[at - 1] === ''));
  return `${lines.join('\n')}\n`;
}

function inNode(argument: ScriptArgument): string {
  return mayBeSecret(argument) ? `textOf('${argument.name}')` : `args.${argument.name}`;
}

function optionInNode(argument: ScriptArgument): string {
  const { name, handing } = argument;
  if (handing.as === 'switch')
    return [[handing.flag, 'true'] as const, [handing.negation, 'false'] as const]
      .flatMap(([flag, value]) => (flag === undefined ? [] : [`if (args.${name} === ${value}) words.push('${flag}');`]))
      .join('\n');
  if (handing.as !== 'option') return '';
  if (handing.isRepeated) return `for (const item of args.${name} ?? []) words.push(\`${handing.flag}=\${item}\`);`;
  return `if (${inNode(argument)} !== undefined) words.push(\`${handing.flag}=\${${inNode(argument)}}\`);`;
}
