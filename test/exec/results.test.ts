import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readResult } from '../../src/exec/collect/results.ts';
import { testWith } from '../support/host.ts';
import { takeLease } from '../support/lease.ts';

let dir: string;
let path: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'flwd-results-'));
  path = join(dir, 'result.json');
});
afterEach(() => rmSync(dir, { recursive: true }));

async function resultOf(content: string | Buffer) {
  writeFileSync(path, content);
  return readResult(dir);
}
const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
const invalid = (message: string) => ({ kind: 'invalid', message });

test('a script that writes no result has no result', async () => {
  expect(readResult(dir)).toEqual({ kind: 'none' });
});

test.each<[string, unknown]>([
  ['{"rows": [1, 2.5, null, true], "name": "é"}\n', { rows: [1, 2.5, null, true], name: 'é' }],
  ['"text"', 'text'],
  ['null', null],
  ['\ufeff{"from": "a shell that writes a byte order mark"}', { from: 'a shell that writes a byte order mark' }],
])('the result %s is returned unchanged', async (content, value) => {
  expect(await resultOf(content)).toEqual({ kind: 'value', value });
});

describe('an invalid result is refused with a sentence that does not quote it', () => {
  test.each([
    ['nothing', '', 'FLWD_RESULT_FILE is empty; write JSON, or do not create it'],
    ['text', '{\n  "token": s3cret', 'FLWD_RESULT_FILE is not JSON; a text needs double quotes'],
    ['two values', '{}\n{}', 'FLWD_RESULT_FILE is not JSON; a text needs double quotes'],
    ['half a value', '{"a":', 'FLWD_RESULT_FILE is not JSON; a text needs double quotes'],
    ['an endless number', '[1e999]', 'FLWD_RESULT_FILE contains a number that is out of range'],
  ])('%s', async (_, content, message) => {
    expect(await resultOf(content)).toEqual(invalid(message));
  });

  test('other bytes than UTF-8', async () => {
    expect(await resultOf(Buffer.from([0x22, 0xff, 0x22]))).toEqual(invalid('FLWD_RESULT_FILE is not UTF-8'));
  });

  test('more than 64 levels, and even 500,000 levels do not stop the server', async () => {
    expect(await resultOf(nested(64))).toMatchObject({ kind: 'value' });
    const message = 'FLWD_RESULT_FILE is nested deeper than 64 levels';
    expect(await resultOf(nested(65))).toEqual(invalid(message));
    expect(await resultOf(nested(500_000))).toEqual(invalid(message));
  });

  test('more than a MiB, however large', async () => {
    expect(await resultOf(`"${'x'.repeat(1024 * 1024 - 2)}"`)).toMatchObject({ kind: 'value' });
    truncateSync(path, 2 ** 40);
    expect(readResult(dir)).toEqual(invalid('FLWD_RESULT_FILE has 1099511627776 bytes, more than the 1048576 allowed'));
  });
});

describe('in place of the result file', () => {
  test('a link reveals nothing about its target', async () => {
    writeFileSync(join(dir, 'private'), '"of the host"');
    symlinkSync(join(dir, 'private'), path);
    expect(readResult(dir)).toEqual(invalid('FLWD_RESULT_FILE is a link'));
  });

  test('a folder is refused', async () => {
    mkdirSync(path);
    expect(readResult(dir)).toEqual(invalid('FLWD_RESULT_FILE is not a regular file'));
  });

  test('a pipe is refused without delay', async () => {
    execFileSync('mkfifo', [path]);
    expect(readResult(dir)).toEqual(invalid('FLWD_RESULT_FILE is not a regular file'));
  });

  test('a socket is refused', async () => {
    const script = 'import socket,sys; s=socket.socket(socket.AF_UNIX); s.bind(sys.argv[1])';
    await once(spawn('python3', ['-c', script, path]), 'exit');
    expect(readResult(dir)).toEqual(invalid('FLWD_RESULT_FILE is a socket'));
  });

  testWith('python3')('a file with a lease on it does not make the server wait', async () => {
    writeFileSync(path, '{}');
    const lease = await takeLease(path);
    const startedAt = performance.now();
    expect(readResult(dir)).toEqual(invalid('FLWD_RESULT_FILE is held by a lease (F_SETLEASE)'));
    // The kernel would wait 45 s for the lease (/proc/sys/fs/lease-break-time).
    expect(performance.now() - startedAt).toBeLessThan(20_000);
    await lease.end();
    expect(readResult(dir)).toEqual({ kind: 'value', value: {} });
  });
});
