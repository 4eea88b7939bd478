import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readOutputs } from '../../src/exec/collect/outputs.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'flwd-outputs-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

async function outputsOf(content: string | Buffer) {
  writeFileSync(join(dir, 'output'), content);
  return readOutputs(dir);
}
const outputs = (values: Record<string, string>) => ({ kind: 'outputs', outputs: values });
const invalid = (message: string) => ({ kind: 'invalid', message });

test('a script that writes no outputs has no outputs', async () => {
  expect(readOutputs(dir)).toEqual(outputs({}));
  expect(await outputsOf('\n\n')).toEqual(outputs({}));
});

test('lines and blocks are read, with their values exactly as written', async () => {
  const content = 'tag=v1.2=beta \nempty=\nnotes<<END\nfirst=1\n\n ENDS\nEND\nvoid<<END\nEND\nlast=<<x';
  expect(await outputsOf(content)).toEqual(
    outputs({ tag: 'v1.2=beta ', empty: '', notes: 'first=1\n\n ENDS', void: '', last: '<<x' }),
  );
});

test('the last value of a key counts', async () => {
  expect(await outputsOf('a=1\nb=2\na=3\n')).toEqual(outputs({ a: '3', b: '2' }));
});

test('a key may have the name of a member that every object has', async () => {
  const read = await outputsOf('__proto__=1\nconstructor=2\n');
  expect(JSON.stringify(read)).toBe('{"kind":"outputs","outputs":{"__proto__":"1","constructor":"2"}}');
});

const keyRule = 'a key must have at most 128 letters, digits, _ and -, and begin with a letter or _';

describe('an invalid line is refused with its number, without quoting it', () => {
  test.each([
    ['a line without a sign', 'a=1\ns3cret\n', 'FLWD_OUTPUT_FILE, line 2: expected key=value or key<<END'],
    ['a key with a space', '\nmy key=1', `FLWD_OUTPUT_FILE, line 2: ${keyRule}`],
    ['no key', '=1', `FLWD_OUTPUT_FILE, line 1: ${keyRule}`],
    ['a key of 129 letters', `${'k'.repeat(129)}=1`, `FLWD_OUTPUT_FILE, line 1: ${keyRule}`],
    ['a block without end', 'a=1\nb<<END\nx\n', 'FLWD_OUTPUT_FILE, line 2: the block has no line that ends it'],
    ['a block with an empty end', 'b<<\n\n', 'FLWD_OUTPUT_FILE, line 1: the block has no line that ends it'],
    ['a NUL', 'a=x\0y', 'FLWD_OUTPUT_FILE, line 1: a value must not contain a NUL character'],
    [
      'a 257th key',
      Array.from({ length: 257 }, (_, n) => `k${n}=x\n`).join(''),
      'FLWD_OUTPUT_FILE, line 257: more than 256 keys',
    ],
    [
      'more than a MiB',
      'x'.repeat(1024 * 1024 + 1),
      'FLWD_OUTPUT_FILE has 1048577 bytes, more than the 1048576 allowed',
    ],
  ])('%s', async (_, content, message) => {
    expect(await outputsOf(content)).toEqual(invalid(message));
  });

  test('other bytes than UTF-8', async () => {
    expect(await outputsOf(Buffer.from([0x61, 0x3d, 0xff]))).toEqual(invalid('FLWD_OUTPUT_FILE is not UTF-8'));
  });

  test('a link', async () => {
    symlinkSync('/etc/hostname', join(dir, 'output'));
    expect(readOutputs(dir)).toEqual(invalid('FLWD_OUTPUT_FILE is a link'));
  });
});
