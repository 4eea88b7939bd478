// The package keeps compiled code in its own folder, for its owner and for nobody else.

import { execFileSync } from 'node:child_process';
import { chownSync, cpSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'flwd-compiled-'));
  cpSync(inject('packageDir'), folder, { recursive: true, filter: (path) => !path.endsWith('.cache') });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const cache = (): string => join(folder, 'dist', '.cache');
const version = (): string =>
  execFileSync('sh', ['-c', 'umask 0; exec "$0" "$@"', process.execPath, join(folder, 'bin', 'flwd.js'), 'version'], {
    encoding: 'utf8',
  });

test('the first start keeps compiled code where no other user can write', () => {
  const first = version();

  expect(statSync(cache()).mode & 0o777).toBe(0o700);
  expect(readdirSync(cache(), { recursive: true }).length).toBeGreaterThan(1);
  expect(version()).toBe(first);
});

test('flwd starts without the folder when it cannot be made', () => {
  rmSync(join(folder, 'dist', '.cache'), { recursive: true, force: true });
  // A file in its place: a test may run as root, whom no mode stops.
  execFileSync('touch', [cache()]);

  expect(version()).toMatch(/^flwd \d/);
});

test.runIf(process.geteuid?.() === 0)('root leaves no folder in the package of another user', () => {
  chownSync(folder, 65534, 65534);

  expect(version()).toMatch(/^flwd \d/);
  expect(existsSync(cache())).toBe(false);
});
