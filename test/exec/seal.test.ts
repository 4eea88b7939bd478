import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openKeyring } from '../../src/engine/secrets/keyring.ts';
import { createSealer } from '../../src/engine/secrets/seal.ts';
import { StartError } from '../../src/lib/start-error.ts';

let dir: string;
let keyFile: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'flwd-seal-'));
  keyFile = join(dir, 'secret.key');
});
afterEach(() => rmSync(dir, { recursive: true }));

const openSealer = (file: string, given?: string) => createSealer(openKeyring(file, given ?? null));
const messageOf = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    return error instanceof StartError ? error.message : '';
  }
  return '';
};
const aKey = (byte: number) => `fsk_${Buffer.alloc(32, byte).toString('base64')}`;

describe('a sealed text', () => {
  test('is opened again with the same context, even by a server that starts later', () => {
    const sealed = openSealer(keyFile).seal('geheim – 秘密', 'run_1');
    expect(openSealer(keyFile).unseal(sealed, 'run_1')).toBe('geheim – 秘密');
    expect(openSealer(keyFile).unseal(openSealer(keyFile).seal('', 'run_1'), 'run_1')).toBe('');
  });

  test('reveals nothing about the text and differs each time', () => {
    const sealer = openSealer(keyFile);
    const sealed = sealer.seal('geheim', 'run_1');
    expect(sealed).toMatch(/^v2\.[0-9a-f]{12}\.[\w-]+$/);
    expect(Buffer.from(sealed.slice(16), 'base64url').toString('latin1')).not.toContain('geheim');
    expect(sealer.seal('geheim', 'run_1')).not.toBe(sealed);
  });

  test('that was moved to another run does not open', () => {
    const sealer = openSealer(keyFile);
    expect(() => sealer.unseal(sealer.seal('geheim', 'run_1'), 'run_2')).toThrow('cannot be opened');
  });

  test('that was altered or cut anywhere does not open', () => {
    const sealer = openSealer(keyFile);
    const sealed = sealer.seal('geheim', 'run_1');
    const bytes = Buffer.from(sealed.slice(16), 'base64url');
    for (let at = 0; at < bytes.length; at++) {
      const altered = Buffer.from(bytes);
      altered[at] = (altered[at] ?? 0) ^ 1;
      for (const forged of [altered, bytes.subarray(0, at)]) {
        expect(() => sealer.unseal(sealed.slice(0, 16) + forged.toString('base64url'), 'run_1')).toThrow(
          'cannot be opened',
        );
      }
    }
  });

  test('does not open with another key, and a text of an unknown version says so', () => {
    const sealed = openSealer(keyFile).seal('geheim', 'run_1');
    const other = openSealer(join(dir, 'other.key'));
    expect(() => other.unseal(sealed, 'run_1')).toThrow(`needs the key ${sealed.slice(3, 15)}, which is not among`);
    expect(() => other.unseal('v3.abc', 'run_1')).toThrow('another version');
  });

  test('of an earlier version, which does not name its key, opens with any of the keys', () => {
    writeFileSync(keyFile, Buffer.alloc(32, 7));
    const old = 'v1.u3kh-X-7XkhmgWKrByVmUlhPOf3IdUH4OlI3U6hDUZag2A';
    expect(openSealer(keyFile).unseal(old, 'run_1')).toBe('geheim');
    expect(openSealer(keyFile, `${aKey(1)},${aKey(7)}`).unseal(old, 'run_1')).toBe('geheim');
    expect(() => openSealer(keyFile, aKey(1)).unseal(old, 'run_1')).toThrow('the key file was replaced');
  });
});

describe('the key file', () => {
  test('is created once, complete, readable only by its owner, and without leaving other files', () => {
    openSealer(keyFile);
    const key = readFileSync(keyFile);
    openSealer(keyFile);
    expect(key.toString()).toMatch(/^fsk_[\w-]{43}\n$/);
    expect(readFileSync(keyFile)).toEqual(key);
    expect(statSync(keyFile).mode & 0o777).toBe(0o600);
    expect(readdirSync(dir)).toEqual(['secret.key']);
  });

  test('is the same for servers that start at once', async () => {
    const module = new URL('../../src/engine/secrets/keyring.ts', import.meta.url).href;
    const script = `const { openKeyring } = await import('${module}'); process.send('ready');
      process.once('message', (file) => { process.send(openKeyring(file).keys[0].id); process.disconnect(); });`;
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
    expect(new Set(await Promise.all(answers))).toEqual(new Set([openSealer(keyFile).keyId]));
    expect(readdirSync(dir)).toEqual(['secret.key']);
  });

  test.each([0, 31, 33])('of %i bytes is refused by its name, and not changed', (size) => {
    writeFileSync(keyFile, Buffer.alloc(size));
    expect(() => openSealer(keyFile)).toThrow(`${keyFile} must contain one key per line`);
    expect(readFileSync(keyFile)).toHaveLength(size);
  });

  test('is not created again when secrets are stored: the message has the command that does it', () => {
    keyFile = join(dir, "it's.key");
    const replaced = () => {
      const [, command = ''] = /: ((?:mv|\(umask) .*)$/.exec(messageOf(() => openKeyring(keyFile, null, 1))) ?? [];
      execFileSync('bash', ['-c', command]);
      expect(openKeyring(keyFile, null, 1).keys).toHaveLength(1);
      expect(statSync(keyFile).mode & 0o777).toBe(0o600);
    };
    replaced();
    writeFileSync(keyFile, 'no key');
    chmodSync(keyFile, 0o644);
    replaced();
    expect(readFileSync(`${keyFile}.old`, 'utf8')).toBe('no key');
  });

  test('that is a folder or cannot be created is refused with one sentence that names it', () => {
    mkdirSync(keyFile);
    expect(() => openSealer(keyFile)).toThrow(
      new StartError(
        `the key file ${keyFile} is a folder: it must be a file that the user of the server can read; fix that, or restore the file from a backup`,
      ),
    );
    const nowhere = join(dir, 'nowhere', 'secret.key');
    expect(() => openSealer(nowhere)).toThrow(
      new StartError(
        `the key file ${nowhere} does not exist and cannot be created (ENOENT): let the user of the server write to ${join(dir, 'nowhere')}, or put the key file there`,
      ),
    );
  });

  test('in a read-only mount of a secrets folder is used as it is', () => {
    writeFileSync(keyFile, Buffer.alloc(32, 7), { mode: 0o440 });
    chmodSync(dir, 0o500);
    expect(openSealer(keyFile).unseal(openSealer(keyFile).seal('geheim', ''), '')).toBe('geheim');
    chmodSync(dir, 0o700);
  });
});

test('the fingerprint of a text is always the same under one key, and differs under another key', () => {
  const sealer = openSealer(keyFile);
  expect(sealer.fingerprint('{"a":1}')).toBe(openSealer(keyFile).fingerprint('{"a":1}'));
  expect(sealer.fingerprint('{"a":1}')).not.toBe(sealer.fingerprint('{"a":2}'));
  expect(sealer.fingerprint('{"a":1}')).not.toBe(openSealer(join(dir, 'other.key')).fingerprint('{"a":1}'));
});

describe('when there are several keys', () => {
  test('the first one seals, and each opens what it has sealed', () => {
    const old = openSealer(keyFile, aKey(1)).seal('geheim', 'run_1');
    const both = openSealer(keyFile, `${aKey(2)}, ${aKey(1)}`);
    expect(both.unseal(old, 'run_1')).toBe('geheim');
    expect(openSealer(keyFile, aKey(2)).unseal(both.seal('neu', 'run_1'), 'run_1')).toBe('neu');
    expect(() => openSealer(keyFile, aKey(1)).unseal(both.seal('neu', 'run_1'), 'run_1')).toThrow('not among');
  });

  test('in the environment, no key file is needed or created', () => {
    openSealer(keyFile, aKey(1)).seal('geheim', 'run_1');
    expect(readdirSync(dir)).toEqual([]);
  });

  test.each(['', 'fsk_short', `${aKey(1)},`, `${aKey(1)};${aKey(2)}`])(
    'written as %j, they are refused without being repeated',
    (given) => {
      expect(() => openSealer(keyFile, given)).toThrow(
        /^FLWD_SECRET_KEY must contain one or more keys separated by commas; each is fsk_ and 32 bytes in base64/,
      );
    },
  );

  test('and a line of the file is not a key, the file is refused, and the message repeats no line', () => {
    writeFileSync(keyFile, `${aKey(1)}\nhunter22\n`);
    expect(() => openSealer(keyFile)).toThrow(/^(?!.*(hunter|AQEB)).*must contain one key per line/);
  });
});

describe('a new key', () => {
  test('is put first and synced to the disk, and the old key of 32 bytes can still open texts', () => {
    writeFileSync(keyFile, Buffer.alloc(32, 7), { mode: 0o600 });
    const old = openSealer(keyFile).seal('geheim', 'run_1');
    const keyring = openKeyring(keyFile);
    keyring.add();
    const sealed = createSealer(keyring).seal('neu', 'run_1');
    for (const sealer of [createSealer(keyring), openSealer(keyFile)]) {
      expect(sealer.unseal(old, 'run_1')).toBe('geheim');
      expect(sealer.unseal(sealed, 'run_1')).toBe('neu');
    }
    keyring.dropOthers();
    for (const sealer of [createSealer(keyring), openSealer(keyFile)]) {
      expect(() => sealer.unseal(old, 'run_1')).toThrow('not among');
      expect(sealer.unseal(sealed, 'run_1')).toBe('neu');
    }
    expect(statSync(keyFile).mode & 0o777).toBe(0o600);
    expect(readdirSync(dir)).toEqual(['secret.key']);
  });

  test('still recognizes requests whose fingerprint was made with the old key', () => {
    const before = openSealer(keyFile).fingerprint('{"a":1}');
    const keyring = openKeyring(keyFile);
    for (const change of [keyring.add, keyring.dropOthers, keyring.add, keyring.dropOthers]) {
      change();
      expect(openSealer(keyFile).fingerprint('{"a":1}')).toBe(before);
    }
  });

  test('that a person puts first recognizes older requests, and works without the old key a day later', () => {
    const body = '{"a":1}';
    const [old, next] = [aKey(1), aKey(2)];
    const before = openSealer(keyFile, old).fingerprint(body);
    const both = openSealer(keyFile, `${next},${old}`);
    expect(both.isFingerprintOf(before, body)).toBe(true);
    expect(both.isFingerprintOf(before, '{"a":2}')).toBe(false);

    const alone = openSealer(keyFile, next);
    expect(alone.isFingerprintOf(both.fingerprint(body), body)).toBe(true);
    expect(alone.isFingerprintOf(before, body)).toBe(false);
  });

  test('that cannot be written is not used', () => {
    const place = join(dir, 'place');
    mkdirSync(place);
    const keyring = openKeyring(join(place, 'secret.key'));
    const before = createSealer(keyring).keyId;
    rmSync(place, { recursive: true });
    expect(() => keyring.add()).toThrow('the key file cannot be written (ENOENT)');
    expect([keyring.keys.length, createSealer(keyring).keyId]).toEqual([1, before]);
  });

  test('cannot be created when the keys belong to someone else', () => {
    expect(() => openKeyring(keyFile, aKey(1)).add()).toThrow('cannot change the keys');
  });
});
