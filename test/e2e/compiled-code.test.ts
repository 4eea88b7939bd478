// Compiled code is cached where no other user can write: in the package for its owner, and in their own cache for other
// users.

import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'flwd-compiled-'));
  cpSync(inject('packageDir'), folder, { recursive: true, filter: (path) => !path.endsWith('.cache') });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const cache = (): string => join(folder, 'dist', '.cache');
const executable = (): string => join(folder, 'bin', 'flwd.js');
const version = (env: Readonly<Record<string, string>> = {}): string =>
  execFileSync('sh', ['-c', 'umask 0; exec "$0" "$@"', process.execPath, executable(), 'version'], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH, ...env },
  });

test('the first start caches compiled code where no other user can write', () => {
  const first = version();

  expect(statSync(cache()).mode & 0o777).toBe(0o700);
  expect(readdirSync(cache(), { recursive: true }).length).toBeGreaterThan(1);
  expect(version()).toBe(first);
});

test('flwd starts without a cache if the cache folder cannot be created', () => {
  rmSync(join(folder, 'dist', '.cache'), { recursive: true, force: true });
  // A file blocks the folder, because file modes do not stop a test that runs as root.
  execFileSync('touch', [cache()]);

  expect(version()).toMatch(/^flwd \d/);
});

test('no job may see the compiled code, or write to a folder that contains it', () => {
  version();
  const wanted = { write: cache(), read: cache(), above: join(folder, 'dist') };
  writeFileSync(
    join(folder, 'flwd.yaml'),
    `security: { paths: [${folder}] }\nsources: [{ name: a, type: fs, path: jobs }]\n`,
  );
  for (const [name, path] of Object.entries(wanted)) {
    const job = join(folder, 'jobs', name);
    mkdirSync(job, { recursive: true });
    const kind = name === 'read' ? 'read' : 'write';
    writeFileSync(join(job, 'config.yaml'), `command: 'true'\npermissions: { ${kind}: [${path}] }\n`);
    const { stdout, stderr } = spawnSync(process.execPath, [executable(), 'plan', name], {
      cwd: folder,
      encoding: 'utf8',
    });
    expect(stdout + stderr).toMatch(/belongs to the server itself|contains files of the server itself/);
  }
});

describe.runIf(process.geteuid?.() === 0)('root, in the package of another user,', () => {
  let home: string;
  const compiled = (): string[] => readdirSync(join(home, '.cache'));
  const kept = (): string => join(home, '.cache', ...compiled());

  beforeEach(() => {
    chownSync(folder, 65534, 65534);
    home = join(folder, 'home');
    mkdirSync(join(home, '.cache'), { recursive: true, mode: 0o700 });
  });

  test('caches compiled code in root’s own cache folder, until an upgrade', () => {
    expect(version({ HOME: home })).toMatch(/^flwd \d/);
    expect(compiled()).toEqual([expect.stringMatching(/^flwd-compiled-.*-bin-flwd-js$/)]);
    expect(statSync(kept()).mode & 0o777).toBe(0o700);
    const first = readdirSync(kept());
    version({ XDG_CACHE_HOME: join(home, '.cache') });
    expect(readdirSync(kept())).toEqual(first);

    chmodSync(executable(), 0o700);
    version({ HOME: home });
    expect(readdirSync(kept())).toHaveLength(first.length);
    expect(readdirSync(kept())).not.toEqual(first);
    expect(existsSync(cache())).toBe(false);
  });

  test('caches compiled code in the cache folder of a systemd service', () => {
    const service = mkdtempSync(join(folder, 'service-'));
    version({ HOME: home, CACHE_DIRECTORY: service });
    expect(readdirSync(service)).toEqual([expect.stringMatching(/^flwd-compiled-/)]);
    expect(compiled()).toEqual([]);
  });

  test.each([
    ['others can write', () => chmodSync(join(home, '.cache'), 0o770)],
    ['belongs to somebody else', () => chownSync(join(home, '.cache'), 65534, 65534)],
    ['does not exist', () => rmSync(join(home, '.cache'), { recursive: true })],
  ])('caches nothing if the cache folder %s', (_, spoil) => {
    spoil();
    expect(version({ HOME: home })).toMatch(/^flwd \d/);
    expect(version()).toMatch(/^flwd \d/);
    expect(existsSync(join(home, '.cache')) ? compiled() : []).toEqual([]);
    expect(existsSync(cache())).toBe(false);
  });
});
