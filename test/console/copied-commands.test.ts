// A copied command does the same as the form, because the command line parses it to the same arguments.

import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { readCommandLine } from '../../src/cli/command-line.ts';
import { readArguments } from '../../src/cli/job/argument-words.ts';
import { flwdCommand } from '../../src/console/start/copied-commands.ts';
import { type FieldTexts, readTexts } from '../../src/console/start/form-texts.ts';
import { argumentFields } from '../../src/domain/argument-fields.ts';

const fields = argumentFields({
  type: 'object',
  properties: {
    version: { type: 'string' },
    hosts: { type: 'array', items: { type: 'string' } },
    share: { type: 'number' },
    tell: { type: 'boolean' },
    keep: { type: 'object', properties: { days: { type: 'integer' } } },
    json: { type: 'string' },
    grid: { type: 'array', items: { type: 'array', items: { type: 'integer' } } },
    any: {},
    key: { type: 'string', format: 'secret' },
  },
});
const of = (texts: Readonly<Record<string, readonly string[]>>): FieldTexts[] =>
  fields.map(({ path }) => ({ texts: texts[path.join('.')] ?? [], isStored: false }));
const copied = { origin: 'http://127.0.0.1:8080', jobId: 'shop/release', args: { key: 'SECRET' }, options: {} };

/** Splits the command into the words that a shell would pass to flwd. */
function wordsOf(command: string): string[] {
  const said = execFileSync('bash', ['-c', `flwd() { printf '%s\\0' "$@"; }; ${command}`], { encoding: 'utf8' });
  return said.split('\0').slice(0, -1);
}

describe('a copied flwd command', () => {
  test('has an option for each argument', () => {
    const command = flwdCommand(copied, fields, of({ version: ['2.14.0'], hosts: ['a', 'b'], tell: ['true'] }));
    expect(command).toBe(
      'flwd --remote http://127.0.0.1:8080 shop/release --version 2.14.0 --hosts a --hosts b --tell',
    );
  });

  test.each([
    { version: ["O'Neil $(reboot)\nand more"], tell: ['false'], share: ['-0.5'] },
    { version: ['--version'], json: ['x'], 'keep.days': ['7'], hosts: ['', '-1', '--', 'ü'] },
    { version: [''], any: ['{"n": [1]}'] },
    { hosts: ['["a"]'], grid: ['[1, 2]'] },
    { any: ['plain'], tell: ['true'], hosts: ['-x'] },
  ])('is parsed back into the values that were typed: %j', (texts) => {
    const filled = of(texts);
    const call = readCommandLine(wordsOf(flwdCommand(copied, fields, filled)));
    expect(call.operands).toEqual(['shop/release']);
    const { args, errors } = readArguments(fields, call, {}, () => {});
    expect({ args, errors }).toEqual({ args: readTexts(fields, filled).args, errors: [] });
  });

  test('reads a typed secret from a file, and names a stored one', () => {
    const typed = of({ key: ['hush'] });
    expect(flwdCommand(copied, fields, typed)).toMatch(/shop\/release --key\.file FILE$/);
    const stored = typed.map((one) => ({ ...one, isStored: true }));
    expect(flwdCommand(copied, fields, stored)).toMatch(/ --key\.stored hush$/);
  });

  test('contains the options of the run besides its arguments', () => {
    const options = { priority: -5, labels: { team: 'shop two' }, security_profile: 'permissive' as const };
    const call = readCommandLine(wordsOf(flwdCommand({ ...copied, options }, fields, [])));
    expect(Object.fromEntries(call.options)).toMatchObject({
      priority: ['-5'],
      label: ['team=shop two'],
      'security-profile': ['permissive'],
    });
  });

  test('gives all arguments as JSON if two have the same name as an option', () => {
    const twins = argumentFields({
      type: 'object',
      properties: { 'a.b': { type: 'string' }, a: { type: 'object', properties: { b: { type: 'string' } } } },
    });
    const args = { 'a.b': 'x' };
    const command = flwdCommand({ ...copied, jobId: 'runs', args }, twins, [{ texts: ['x'], isStored: false }]);
    expect(command).toBe(`flwd --remote http://127.0.0.1:8080 run runs --args '{"a.b":"x"}'`);
  });
});
