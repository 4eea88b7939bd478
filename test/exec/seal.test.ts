import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openSealer } from '../../src/exec/seal.ts';

let dir: string;
let keyFile: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'flwd-seal-'));
  keyFile = join(dir, 'secret.key');
});
afterEach(() => rmSync(dir, { recursive: true }));

describe('a sealed text', () => {
  test('is opened again with the same context, by a server started later too', () => {
    const sealed = openSealer(keyFile).seal('geheim – 秘密', 'run_1');
    expect(openSealer(keyFile).unseal(sealed, 'run_1')).toBe('geheim – 秘密');
    expect(openSealer(keyFile).unseal(openSealer(keyFile).seal('', 'run_1'), 'run_1')).toBe('');
  });

  test('shows nothing of itself and is another one each time', () => {
    const sealer = openSealer(keyFile);
    const sealed = sealer.seal('geheim', 'run_1');
    expect(sealed).toMatch(/^v1\.[\w-]+$/);
    expect(Buffer.from(sealed.slice(3), 'base64url').toString('latin1')).not.toContain('geheim');
    expect(sealer.seal('geheim', 'run_1')).not.toBe(sealed);
  });

  test('that was moved to another run does not open', () => {
    const sealer = openSealer(keyFile);
    expect(() => sealer.unseal(sealer.seal('geheim', 'run_1'), 'run_2')).toThrow('cannot be opened');
  });

  test('that was altered or cut anywhere does not open', () => {
    const sealer = openSealer(keyFile);
    const bytes = Buffer.from(sealer.seal('geheim', 'run_1').slice(3), 'base64url');
    for (let at = 0; at < bytes.length; at++) {
      const altered = Buffer.from(bytes);
      altered[at] = (altered[at] ?? 0) ^ 1;
      for (const forged of [altered, bytes.subarray(0, at)]) {
        expect(() => sealer.unseal(`v1.${forged.toString('base64url')}`, 'run_1')).toThrow('cannot be opened');
      }
    }
  });

  test('does not open with another key, and one of another version says so', () => {
    const sealed = openSealer(keyFile).seal('geheim', 'run_1');
    const other = openSealer(join(dir, 'other.key'));
    expect(() => other.unseal(sealed, 'run_1')).toThrow('the key file was replaced');
    expect(() => other.unseal('v2.abc', 'run_1')).toThrow('another version');
  });
});

describe('the key file', () => {
  test('is made once, whole, for its owner alone, and nothing else is left beside it', () => {
    openSealer(keyFile);
    const key = readFileSync(keyFile);
    openSealer(keyFile);
    expect(key).toHaveLength(32);
    expect(readFileSync(keyFile)).toEqual(key);
    expect(statSync(keyFile).mode & 0o777).toBe(0o600);
    expect(readdirSync(dir)).toEqual(['secret.key']);
  });

  test('is the same for servers that start at the same moment', async () => {
    const module = new URL('../../src/exec/seal.ts', import.meta.url).href;
    const script = `const { openSealer } = await import('${module}'); process.send('ready');
      process.once('message', (file) => { process.send(openSealer(file).fingerprint('x')); process.disconnect(); });`;
    const children = Array.from({ length: 4 }, () =>
      spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      }),
    );
    await Promise.all(children.map((child) => once(child, 'message')));
    const answers = children.map(async (child) => {
      child.send(keyFile);
      const [answer]: unknown[] = await once(child, 'message');
      return answer;
    });
    expect(new Set(await Promise.all(answers))).toEqual(new Set([openSealer(keyFile).fingerprint('x')]));
    expect(readdirSync(dir)).toEqual(['secret.key']);
  });

  test.each([0, 31, 33])('of %i bytes is refused by name, and left as it is', (size) => {
    writeFileSync(keyFile, Buffer.alloc(size));
    expect(() => openSealer(keyFile)).toThrow(`${keyFile} is no key of flwd: it has ${size} bytes instead of 32`);
    expect(readFileSync(keyFile)).toHaveLength(size);
  });

  test('in a folder of secrets that is mounted read-only is used as it is', () => {
    writeFileSync(keyFile, Buffer.alloc(32, 7), { mode: 0o440 });
    chmodSync(dir, 0o500);
    expect(openSealer(keyFile).unseal(openSealer(keyFile).seal('geheim', ''), '')).toBe('geheim');
    chmodSync(dir, 0o700);
  });
});

test('a fingerprint is the same for the same text under one key, and another one under another', () => {
  const sealer = openSealer(keyFile);
  expect(sealer.fingerprint('{"a":1}')).toBe(openSealer(keyFile).fingerprint('{"a":1}'));
  expect(sealer.fingerprint('{"a":1}')).not.toBe(sealer.fingerprint('{"a":2}'));
  expect(sealer.fingerprint('{"a":1}')).not.toBe(openSealer(join(dir, 'other.key')).fingerprint('{"a":1}'));
});
