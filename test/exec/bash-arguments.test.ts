// Arguments as real bash reads them.

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/domain/job.ts';
import { bashDeclarations } from '../../src/exec/proc/bash-arguments.ts';
import { temporaryFolder } from './sample.ts';

/** Runs the declarations in strict bash, then the script. Returns what it printed, split at NULs. */
function inBash(declarations: string, script: string, cwd = '/'): string[] {
  const printed = execFileSync('bash', ['-s'], {
    cwd,
    input: `set -Eeuo pipefail\n${declarations}\n${script}\n`,
    env: { PATH: '/usr/bin:/bin', LANG: 'C.UTF-8' },
    maxBuffer: 64 * 1024 * 1024,
  });
  return printed.toString('utf8').split('\0').slice(0, -1);
}

function declare(args: JsonObject, properties: JsonObject, secretArgs: readonly string[] = []): string {
  return bashDeclarations(args, { type: 'object', properties }, secretArgs);
}

/** Anything that a caller can send: any text without a NUL, mostly characters that have a meaning to shells. */
const hostileText = fc.oneof(
  fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0')),
  fc
    .array(
      fc.constantFrom(
        "'",
        '"',
        '\\',
        '$(touch pwned)',
        '`touch pwned`',
        '\n',
        '\r',
        ';',
        '&',
        '|',
        '>',
        '*',
        '~',
        '!',
        '[',
        ']',
        '=',
        ' ',
        '\t',
        '\x7f',
        '\x01',
        'é',
        '@',
      ),
    )
    .map((parts) => parts.join('')),
);

describe('an argument with any value', () => {
  test('that is text arrives as it was sent, and nothing in it is executed', () => {
    const cwd = temporaryFolder();
    fc.assert(
      fc.property(fc.array(hostileText, { minLength: 20, maxLength: 60 }), (texts) => {
        const names = texts.map((_, index) => `v${index}`);
        const args = Object.fromEntries(texts.map((text, index) => [`v${index}`, text]));
        const declarations = declare(args, Object.fromEntries(names.map((name) => [name, { type: 'string' }])));
        expect(inBash(declarations, names.map((name) => `printf '%s\\0' "$${name}"`).join('\n'), cwd)).toEqual(texts);
      }),
      { numRuns: 25 },
    );
    expect(existsSync(join(cwd, 'pwned'))).toBe(false);
  });

  test('that is a list keeps its order and its empty items', () => {
    fc.assert(
      fc.property(fc.array(hostileText, { maxLength: 50 }), (list) => {
        const script = `for item in "\${list[@]}"; do printf '%s\\0' "$item"; done`;
        expect(inBash(declare({ list }, { list: { type: 'array' } }), script)).toEqual(list);
      }),
      { numRuns: 25 },
    );
  });

  test('that is an object keeps its keys, whatever they contain', () => {
    const cwd = temporaryFolder();
    const key = hostileText.filter((text) => text !== '');
    fc.assert(
      fc.property(fc.dictionary(key, hostileText, { maxKeys: 30, noNullPrototype: true }), (map) => {
        const script = `for key in "\${!map[@]}"; do printf '%s\\0%s\\0' "$key" "\${map["$key"]}"; done`;
        const printed = inBash(declare({ map }, { map: { type: 'object' } }), script, cwd);
        const pairs = Array.from({ length: printed.length / 2 }, (_, at) => [printed[2 * at], printed[2 * at + 1]]);
        expect(Object.fromEntries(pairs)).toEqual(map);
      }),
      { numRuns: 40 },
    );
    expect(existsSync(join(cwd, 'pwned'))).toBe(false);
  });

  test('that is an integer of 64 bits counts as a number', () => {
    fc.assert(
      fc.property(fc.array(fc.maxSafeInteger(), { minLength: 30, maxLength: 60 }), (numbers) => {
        const names = numbers.map((_, index) => `n${index}`);
        const args = Object.fromEntries(numbers.map((number, index) => [`n${index}`, number]));
        const declarations = declare(args, Object.fromEntries(names.map((name) => [name, { type: 'integer' }])));
        const script = names.map((name) => `${name}+=1; printf '%s\\0' "$${name}"`).join('\n');
        expect(inBash(declarations, script)).toEqual(numbers.map((number) => String(BigInt(number) + 1n)));
      }),
      { numRuns: 10 },
    );
  });
});

describe('the variable of an argument', () => {
  const show = (name: string): string => `declare -p ${name} | tr -d '\\n'; printf '\\0'`;

  test.each([
    ['an integer', { type: 'integer' }, 7, 'declare -i v="7"'],
    ['zero below zero', { type: 'integer' }, -0, 'declare -i v="0"'],
    ['an integer beyond 64 bits', { type: 'integer' }, 2 ** 63, 'declare -- v="9223372036854776000"'],
    ['an integer written with an exponent', { type: 'integer' }, 1e21, 'declare -- v="1e+21"'],
    ['a number', { type: 'number' }, 2, 'declare -- v="2"'],
    ['a fraction', {}, 0.1, 'declare -- v="0.1"'],
    ['a boolean', { type: 'boolean' }, false, 'declare -- v="false"'],
    ['null', { type: ['string', 'null'] }, null, 'declare -- v=""'],
    [
      'a list of other things',
      {},
      [1, true, null, [2], { a: 'b' }],
      `declare -a v=([0]="1" [1]="true" [2]="" [3]="[2]" [4]="{\\"a\\":\\"b\\"}")`,
    ],
    ['an object with parts', {}, { a: [1] }, 'declare -A v=([a]="[1]" )'],
    ['an object with an empty key, which bash lacks', {}, { '': 1, b: 2 }, 'declare -A v=([b]="2" )'],
  ])('is declared by its type: %s', (_what, schema, value, shown) => {
    expect(inBash(declare({ v: value }, { v: schema }), show('v'))).toEqual([shown]);
  });

  test.each([
    ['a text', { type: 'string' }, 'declare -- v=""'],
    ['an integer', { type: 'integer' }, 'declare -- v=""'],
    ['a list', { type: 'array' }, 'declare -a v=()'],
    ['an object', { type: 'object' }, 'declare -A v=()'],
    ['anything', true, 'declare -- v=""'],
  ])('is declared empty if %s is missing', (_what, schema, shown) => {
    expect(inBash(declare({}, { v: schema }), show('v'))).toEqual([shown]);
  });
});

test('secret arguments, and arguments without a property, do not become variables', () => {
  const declarations = declare(
    { token: 'x', PATH: '/evil', 'a;id': 1, seen: 1 },
    { token: { type: 'string' }, seen: {} },
    ['token'],
  );
  expect(declarations).toBe('declare -i seen=1\n');
});
