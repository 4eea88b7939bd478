import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readArguments } from '../../src/cli/job/argument-words.ts';
import { jobCommands } from '../../src/cli/job/job-commands.ts';
import { runCommands } from '../../src/cli/run/run-commands.ts';
import { argumentFields } from '../../src/domain/argument-fields.ts';
import { isNamedAsOption } from '../../src/domain/argument-flags.ts';
import { createFolder } from './terminal.ts';

const fields = argumentFields({
  type: 'object',
  properties: {
    target: { type: 'string' },
    count: { type: 'integer' },
    dry: { type: 'boolean' },
    mode: { enum: ['fast', 'safe'] },
    tags: { type: 'array', items: { type: 'string' } },
    ports: { type: 'array', items: { type: 'integer' } },
    keep: { type: 'object', properties: { days: { type: 'integer' }, all: { type: 'boolean' } } },
    token: { type: 'string', format: 'secret' },
    backup_password: { type: 'string', format: 'secret' },
    'no-wait': { type: 'string' },
    wait: { type: 'boolean' },
    dry_run: { type: 'boolean' },
    a_b: { type: 'string' },
    'a-b': { type: 'string' },
    json: { type: 'string' },
    any: {},
    n: { type: 'integer' },
  },
});

const [command] = jobCommands;

function read(...argumentWords: string[]): { args: unknown; warnings: string[]; errors: string[] } {
  const warnings: string[] = [];
  const { args, errors } = readArguments(fields, { command, argumentWords }, {}, (line) => warnings.push(line));
  return { args, warnings, errors: errors.map(({ message }) => message) };
}

test.each([
  [['--target', '/srv'], { target: '/srv' }],
  [['--target=--dashes'], { target: '--dashes' }],
  [['--target', ''], { target: '' }],
  [['--count', '-5'], { count: -5 }],
  [['--dry'], { dry: true }],
  [['--dry', 'false'], { dry: false }],
  [['--no-dry'], { dry: false }],
  [['--mode', 'safe'], { mode: 'safe' }],
  [['--tags', 'a', '--tags', 'b'], { tags: ['a', 'b'] }],
  [['--ports', '80', '--ports=443'], { ports: [80, 443] }],
  [['--tags', '["a", "b"]'], { tags: ['a', 'b'] }],
  [['--tags=[]'], { tags: [] }],
  [['--ports', '[80, 443]'], { ports: [80, 443] }],
  [['--ports', '["x"]'], { ports: ['x'] }],
  [['--tags', '[a-z]'], { tags: ['[a-z]'] }],
  [['--tags', '["a"]', '--tags', 'b'], { tags: ['["a"]', 'b'] }],
  [['--keep.days', '7', '--keep.all'], { keep: { days: 7, all: true } }],
  [['--args.json', 'text'], { json: 'text' }],
  [['--any', '{"a":[1]}'], { any: { a: [1] } }],
  [['--any', 'word'], { any: 'word' }],
  [['--backup-password.stored', 'deploy'], { backup_password: { secret: 'deploy' } }],
  [['--dry-run'], { dry_run: true }],
  [['--no-dry-run'], { dry_run: false }],
  [['--no-wait', 'text'], { 'no-wait': 'text' }],
  [['--a-b', 'x', '--a_b', 'y'], { 'a-b': 'x', a_b: 'y' }],
  [['--token.stored', 'deploy'], { token: { secret: 'deploy' } }],
])('%j is read as %j', (words, args) => {
  expect(read(...words)).toEqual({ args, warnings: [], errors: [] });
});

test.each([
  [['--count', 'x'], '--count x: must be a whole number'],
  [['--ports', '[80'], '--ports [80: must be a whole number'],
  [['--mode', 'slow'], '--mode slow: must be one of fast, safe'],
  [['--dry', 'maybe'], "unexpected word `maybe`: the job's arguments are --target TEXT --count N --dry true|false …"],
  [['--tags', 'a', 'b'], 'unexpected word `b`: give each value its own flag: --tags b'],
  [['--target=my', 'files'], 'unexpected word `files`: put a value of several words in quotes: --target "… files"'],
  [['--dry=maybe'], '--dry maybe: must be true or false'],
  [['--taget', 'x'], 'the job takes no --taget; did you mean `--target`?'],
  [['--tokn', 'x'], 'the job takes no --tokn; did you mean `--token.file`?'],
  [
    ['--elsewhere', 'x'],
    'the job takes no --elsewhere: it takes --target, --count, --dry, --mode, --tags, --ports, --keep.days, ' +
      '--keep.all, --token.file, --token.env, --token.stored, --backup_password.file, --backup_password.env, ' +
      '--backup_password.stored, --no-wait, --wait, --dry_run, --a_b, --a-b, --args.json, --any, --n',
  ],
  [['--zz', 'x'], expect.stringMatching(/^the job takes no --zz: it takes /)],
  [['--backup-pasword.env', 'x'], 'the job takes no --backup-pasword.env; did you mean `--backup_password.env`?'],
  [['--target'], '--target needs a value: --target TEXT; write a value that begins with -- as --target=--…'],
  [['--target', '--dry'], '--target needs a value: --target TEXT; write a value that begins with -- as --target=--…'],
  [['--target', 'a', '--target', 'b'], '--target is given twice'],
  [['--token.env', 'NO_SUCH_VARIABLE'], '--token.env NO_SUCH_VARIABLE: the environment has no such variable'],
  [['--no-dry=true'], '--no-dry takes no value: write --dry or --no-dry'],
  [['--token.file', '/dev/zero'], '--token.file /dev/zero: is larger than 256 MiB'],
  [['--token.file', '/no/such'], '--token.file /no/such: cannot be read: no such file or folder'],
  [['word'], "unexpected word `word`: the job's arguments are --target TEXT --count N --dry true|false …"],
])('%j is refused: %s', (words, message) => {
  expect(read(...words).errors).toEqual([message]);
});

test('every invalid word is reported, and the valid ones are still read', () => {
  const words = [
    '--count',
    'x',
    '--taget',
    'y',
    '--detahc',
    '--dry',
    '--mode',
    '--keep.days=7',
    'word',
    '--tags',
    'a',
    '--mode=slow',
  ];
  expect(read(...words)).toEqual({
    args: { dry: true, keep: { days: 7 }, tags: ['a'] },
    warnings: [],
    errors: [
      '--count x: must be a whole number',
      'the job takes no --taget; did you mean `--target`?',
      'the job takes no --detahc; did you mean `--detach`?',
      '--mode needs a value: --mode fast|safe; write a value that begins with -- as --mode=--…',
      "unexpected word `word`: the job's arguments are --target TEXT --count N --dry true|false …",
      '--mode slow: must be one of fast, safe',
    ],
  });
});

test('flwd rerun --failed is refused, and the error names --from failed', () => {
  const rerun = runCommands.find(({ name }) => name === 'rerun') ?? command;
  expect(readArguments(fields, { command: rerun, argumentWords: ['--failed'] }, {}, () => undefined).errors).toEqual([
    { path: null, message: 'the job takes no --failed; to repeat the steps that did not succeed, write --from failed' },
  ]);
});

test('a single item of a list that has commas causes a warning, because other programs split it', () => {
  expect(read('--tags=db1,db2,db3')).toEqual({
    args: { tags: ['db1,db2,db3'] },
    warnings: ['--tags db1,db2,db3 is one item; for several items, write --tags db1 --tags db2 --tags db3'],
    errors: [],
  });
  const meant = [
    ['--tags', 'a,b', '--tags', 'c'],
    ['--tags', 'a, b'],
    ['--target', 'a,b'],
  ];
  for (const words of meant) expect(read(...words)).toMatchObject({ warnings: [], errors: [] });
});

test('a secret from a file loses its last newline, and one on the command line causes a warning', () => {
  const file = join(createFolder(), 'token');
  writeFileSync(file, 'first\nlast\n');
  expect(read('--token.file', file)).toEqual({ args: { token: 'first\nlast' }, warnings: [], errors: [] });
  expect(read('--token', 'open')).toEqual({
    args: { token: 'open' },
    warnings: [expect.stringMatching(/^--token: other users of this machine can read command lines/)],
    errors: [],
  });
});

test.each(['secret:deploy-key', '{secret: deploy-key}', '{"secret":"deploy-key"}'])(
  '%s as the text of a secret is refused, because a stored secret is probably meant',
  (text) => {
    expect(read('--token', text)).toEqual({
      args: {},
      warnings: [],
      errors: [
        'the value of --token looks like the name of a stored secret: to use that secret, write --token.stored NAME. ' +
          'If the value is the secret itself, use --token.file FILE or --token.env NAME',
      ],
    });
    expect(read('--token.stored', 'deploy-key').args).toEqual({ token: { secret: 'deploy-key' } });
    expect(read('--target', text).errors).toEqual([]);
  },
);

test('words override the arguments given as JSON', () => {
  const base = { target: '/old', keep: { days: 1, weeks: 2 }, tags: ['old'] };
  const argumentWords = ['--keep.days', '7', '--tags', 'new'];
  expect(readArguments(fields, { command, argumentWords }, base, () => undefined).args).toEqual({
    target: '/old',
    keep: { days: 7, weeks: 2 },
    tags: ['new'],
  });
  expect(base.keep.days).toBe(1);
});

test('a job’s argument is treated as named like an option exactly if flwd run has an option of that name', () => {
  for (const name of [...command.options.map((option) => option.name), 'help'])
    expect(isNamedAsOption({ path: [name] }), name).toBe(true);
  expect(isNamedAsOption({ path: ['target'] })).toBe(false);
});
