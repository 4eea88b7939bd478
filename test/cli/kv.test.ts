import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bash } from '../support/jobs.ts';
import { createInstance } from './an-instance.ts';
import { flwd, flwdReading, start } from './terminal.ts';

const missing = { code: 1, stdout: '', stderr: "There is no key 'last' in the namespace 'a/counts'.\n" };

test('values are set, read, listed and deleted, with and without a server, and a job finds them', async () => {
  const { dir } = await createInstance({ 'a/counts': bash('flwd_kv_get last; flwd_kv_set last "from the job"') });
  const kv = (...words: readonly string[]) => flwd(dir, 'kv', ...words);
  expect(await kv('set', 'a/counts', 'last', '1041')).toEqual({
    code: 0,
    stdout: '',
    stderr: 'stored last in a/counts, version 1\n',
  });
  expect((await flwd(dir, 'run', 'a/counts')).stdout).toBe('1041\n');

  await start(dir, ['serve']).prints(/listening on/);
  expect(await kv('get', 'a/counts', 'last')).toEqual({ code: 0, stdout: 'from the job', stderr: '' });
  expect((await kv('list', 'a/counts')).stdout).toMatch(
    /^KEY {3}VERSION {2}SIZE {2}UPDATED {19}EXPIRES {2}BY\nlast {2}2 {8}16 B {2}20\S+Z {2}- {8}run_\w+\n$/,
  );
  expect((await kv('list')).stdout).toMatch(/^NAMESPACE {2}KEYS {2}SIZE\na\/counts {3}1 {5}16 B\n$/);
  expect(await kv('set', 'a/counts', 'last', 'x', '--if-version', '1')).toMatchObject({
    code: 6,
    stderr: "The key 'last' has the version 2, but its version must be 1; nothing was stored.\n",
  });
  expect((await kv('set', 'a/counts', 'last', 'x', '--if-version', '2', '--ttl', '1h')).code).toBe(0);
  const { stdout } = await kv('get', 'a/counts', 'last', '--json');
  expect(JSON.parse(stdout)).toMatchObject({ version: 3, value: 'eA==', expires_at: expect.any(String) });
  expect(await kv('delete', 'a/counts', 'last')).toMatchObject({ code: 0, stderr: 'deleted last of a/counts\n' });
  expect(await kv('delete', 'a/counts', 'last')).toEqual(missing);
  expect(await kv('get', 'a/counts', 'last')).toEqual(missing);
  expect(await kv('list')).toMatchObject({ stdout: '', stderr: 'no keys\n' });
});

test('bytes go through standard input and output unchanged, into a backup and out of it', async () => {
  const { dir } = await createInstance({});
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  expect((await flwdReading(dir, bytes, 'kv', 'set', 'state', 'bytes')).code).toBe(0);
  const encoded = async () =>
    JSON.parse((await flwd(dir, 'kv', 'get', 'state', 'bytes', '--json')).stdout).value as string;
  expect(Buffer.from(await encoded(), 'base64').equals(bytes)).toBe(true);
  expect((await flwd(dir, 'backup', join(dir, 'copy'))).code).toBe(0);
  await flwd(dir, 'kv', 'set', 'state', 'bytes', 'changed');
  expect(await flwd(dir, 'kv', 'get', 'state', 'bytes')).toMatchObject({ stdout: 'changed' });
  expect((await flwd(dir, 'restore', join(dir, 'copy'), '--force')).code).toBe(0);
  expect(Buffer.from(await encoded(), 'base64').equals(bytes)).toBe(true);
  expect((await flwd(dir, 'doctor')).stdout).toMatch(
    /^ok +key-value store +1 of 1000000 keys; the largest namespace, state, has 261 B of 32 MiB$/m,
  );
});

test('for wrong operands, the error says what to type', async () => {
  const { dir } = await createInstance({});
  const said = async (...words: readonly string[]) => {
    const { code, stderr } = await flwd(dir, 'kv', ...words);
    return [code, stderr.trim()];
  };
  expect(await said('get', 'a')).toEqual([
    2,
    'missing operand: flwd kv get NAMESPACE KEY; flwd kv list NAMESPACE shows the keys',
  ]);
  expect(await said('set', 'a', 'k', 'v', 'w')).toEqual([2, 'unexpected word `w`: flwd kv set NAMESPACE KEY [VALUE]']);
  expect(await said('set', 'a', 'k', 'v', '--if-version', 'new')).toEqual([
    2,
    '--if-version new is not a version; flwd kv list shows the versions, and 0 means no such key',
  ]);
  expect(await said('set', 'a', 'k', 'v', '--ttl', 'soon')).toEqual([
    2,
    '--ttl must be a duration such as `90s` or `7d`, between `1s` and `3650d`',
  ]);
  expect(await said('set', '../a', 'k', 'v')).toEqual([
    2,
    'the namespace must be the id of a job, or a name of the same form: up to 512 letters, digits, `.`, `_`, `-` and `/`',
  ]);
  expect(await said('list', '--prefix', 'x')).toEqual([
    2,
    '--prefix needs a namespace: flwd kv list NAMESPACE --prefix PREFIX',
  ]);
});
