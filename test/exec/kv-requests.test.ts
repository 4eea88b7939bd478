// Requests to the key-value store as files in a folder that hostile code can write to.

import { execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import type { KvAnswer, KvRequest } from '../../src/exec/kv/kv-request.ts';
import { serveKvRequests } from '../../src/exec/kv/kv-requests.ts';
import { libexecDir } from '../../src/exec/script-places.ts';

let attemptDir: string;
let out: string;
beforeEach(() => {
  attemptDir = mkdtempSync(join(tmpdir(), 'flwd-kv-'));
  onTestFinished(() => rmSync(attemptDir, { recursive: true, force: true }));
  out = join(attemptDir, 'out');
  mkdirSync(out);
});

type Served = { readonly requests: KvRequest[]; readonly errors: unknown[]; overfull: number };

function serve(answer: (request: KvRequest) => Promise<KvAnswer> = async () => ({ kind: 'done' })): Served {
  const served: Served = { requests: [], errors: [], overfull: 0 };
  const { close } = serveKvRequests({
    attemptDir,
    answer: (request) => {
      served.requests.push(request);
      return answer(request);
    },
    onOverfull: () => {
      served.overfull += 1;
    },
    onError: (error) => void served.errors.push(error),
  });
  onTestFinished(close);
  return served;
}

const get = (key: string): string => `get\n\n${key}\n\n\nend\n`;
const write = (name: string, text: string | Buffer): void => writeFileSync(join(out, name), text);
const answerTo = (id: string) =>
  expect.poll(() => {
    const path = join(out, `kv-${id}.answer`);
    return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
  });
const gone = (name: string) => expect.poll(() => existsSync(join(out, name)));

test('each request gets a complete answer and is removed, even one from before the start', async () => {
  write('kv-before.request', get('a'));
  const served = serve(async () => ({ kind: 'done', version: 7, value: Buffer.from('v') }));
  await answerTo('before').toBe('done 7\nv');
  write('kv-1.value', 'x\n');
  write('kv-1.request', 'set\na/b\nk\n3\n1h\nend\n');
  await answerTo('1').toBe('done 7\nv');
  await gone('kv-1.request').toBe(false);
  await gone('kv-1.value').toBe(false);
  expect(served).toEqual({
    requests: [
      { kind: 'get', id: 'before', namespace: null, key: 'a' },
      { kind: 'set', id: '1', namespace: 'a/b', key: 'k', ifVersion: 3, ttl: '1h', value: Buffer.from('x\n') },
    ],
    errors: [],
    overfull: 0,
  });
  expect(readdirSync(attemptDir)).toEqual(['out']);
});

test('a request that is only half written waits, and an invalid one is refused', async () => {
  const served = serve();
  write('kv-half.request', 'get\n\na\n\n');
  write('kv-short.request', 'get\n\nend\n');
  write('kv-long.request', `get\n\n${'x'.repeat(4096)}\n\n\nend\n`);
  write('kv-bytes.request', Buffer.concat([Buffer.from('get\n\n'), Buffer.of(0xff), Buffer.from('\n\n\nend\n')]));
  write('kv-kind.request', 'drop\n\na\n\n\nend\n');
  write('kv-value.request', 'set\n\na\n\n\nend\n');
  write('kv-large.value', Buffer.alloc(200_000));
  write('kv-large.request', 'set\n\na\n\n\nend\n');
  write('kv-../x.request'.replace('/', '-'), get('a'));
  await answerTo('short').toBe('error a line of the request is missing\n');
  await answerTo('long').toMatch(/^error the request has 4\d+ bytes, more than the 4096 allowed\n$/);
  await answerTo('bytes').toBe('error the key or the namespace is not UTF-8 text\n');
  await answerTo('kind').toBe('error the request is neither get, set nor delete\n');
  await answerTo('value').toBe('error the value is missing\n');
  await answerTo('large').toBe('error the value has 200000 bytes, more than the 131072 allowed\n');
  expect(served.requests).toEqual([]);
  expect(readdirSync(out)).toContain('kv-half.request');
  expect(readdirSync(out)).not.toContain('kv-half.answer');
  write('kv-half.request', get('a'));
  await answerTo('half').toBe('done \n');
  expect(readdirSync(out).filter((name) => name.endsWith('.request'))).toEqual(['kv-..-x.request']);
});

test('links, pipes and folders are neither followed nor waited for', async () => {
  const outside = join(attemptDir, 'outside');
  writeFileSync(outside, get('stolen'));
  const served = serve();
  symlinkSync(outside, join(out, 'kv-link.request'));
  symlinkSync('/proc/self/environ', join(out, 'kv-secret.value'));
  write('kv-secret.request', 'set\n\na\n\n\nend\n');
  execFileSync('mkfifo', [join(out, 'kv-pipe.request')]);
  mkdirSync(join(out, 'kv-folder.request', 'deep'), { recursive: true });
  // In place of an answer, there is a link to a file, or a folder that is not empty.
  symlinkSync(outside, join(out, 'kv-victim.answer'));
  write('kv-victim.request', get('a'));
  mkdirSync(join(out, 'kv-stuck.answer', 'deep'), { recursive: true });
  write('kv-stuck.request', get('b'));
  await answerTo('link').toBe('error the request is a link\n');
  await answerTo('secret').toBe('error the value is a link\n');
  await answerTo('pipe').toBe('error the request is not a regular file\n');
  await answerTo('folder').toBe('error the request is not a regular file\n');
  await answerTo('victim').toBe('done \n');
  await gone('kv-stuck.request').toBe(false);
  expect(readFileSync(outside, 'utf8')).toBe(get('stolen'));
  expect(served.requests.map(({ key }) => key).toSorted()).toEqual(['a', 'b']);
  // The folder cannot be removed, but other requests still get their answers.
  write('kv-later.request', get('c'));
  await answerTo('later').toBe('done \n');
  expect(served.errors).toEqual([]);
});

test('a flood of requests is answered a few at a time', async () => {
  let atOnce = 0;
  let most = 0;
  const served = serve(async () => {
    most = Math.max(most, ++atOnce);
    await new Promise(setImmediate);
    atOnce -= 1;
    return { kind: 'done' };
  });
  const startedAtMs = performance.now();
  for (let n = 0; n < 400; n++) write(`kv-${n}.request`, get(`${n}`));
  await expect.poll(() => served.requests.length).toBe(400);
  expect(most).toBeLessThanOrEqual(32);
  // The server answers at most 500 requests a second.
  expect(performance.now() - startedAtMs).toBeGreaterThan(700);
});

test('while the folder has too many files no request is answered', async () => {
  const served = serve();
  for (let n = 0; n < 1_001; n++) write(`junk-${n}`, '');
  await expect.poll(() => served.overfull).toBe(1);
  write('kv-1.request', get('a'));
  for (let n = 0; n < 1_001; n++) rmSync(join(out, `junk-${n}`));
  await answerTo('1').toBe('done \n');
  expect(served.overfull).toBe(1);
});

test('a script whose server never comes back gives up with a sentence, and leaves no files', async () => {
  const patient = readFileSync(join(libexecDir, 'kv.bash'), 'utf8');
  const impatient = join(attemptDir, 'kv.bash');
  writeFileSync(impatient, patient.replace('patience=300', 'patience=0'));
  const run = async (...words: readonly string[]) => {
    const child = spawn('bash', ['-p', impatient, ...words], { env: { FLWD_OUTPUT_FILE: join(out, 'output') } });
    const [stderr] = await Promise.all([
      new Response(child.stderr as never).text(),
      new Promise((resolve) => child.on('close', resolve)),
    ]);
    return [child.exitCode, stderr];
  };
  expect(await run('get', 'k')).toEqual([1, 'flwd_kv_get: the server has not answered for 0 seconds\n']);
  expect(await run('set', 'k', 'v')).toEqual([
    1,
    'flwd_kv_set: the server has not answered for 0 seconds; it is unknown whether the change was made\n',
  ]);
  expect(readdirSync(out)).toEqual([]);
  rmSync(out, { recursive: true });
  expect(await run('get', 'k')).toEqual([1, 'flwd_kv_get: this is not a run of flwd\n']);
});

test('answers can be read by every user that the folder lets in', async () => {
  const mask = process.umask(0o077);
  onTestFinished(() => void process.umask(mask));
  serve();
  write('kv-1.request', get('a'));
  await answerTo('1').toBe('done \n');
  expect(statSync(join(out, 'kv-1.answer')).mode & 0o777).toBe(0o644);
});
