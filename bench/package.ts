// flwd as users install it: the unpacked result of `npm pack`, which needs no other package (ADR 0026).

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type Package = {
  /** The executable. The first call packs it, which takes some seconds. */
  readonly bin: () => string;
  readonly remove: () => void;
};

const checkout = join(import.meta.dirname, '..');

export function createPackage(): Package {
  let dir: string | undefined;
  return {
    bin() {
      dir ??= unpack();
      return join(dir, 'package/bin/flwd.js');
    },
    remove() {
      if (dir !== undefined) rmSync(dir, { recursive: true });
    },
  };
}

function unpack(): string {
  const dir = mkdtempSync(join(tmpdir(), 'flwd-package-'));
  const packed = execFileSync('npm', ['pack', '--json', '--pack-destination', dir], {
    cwd: checkout,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [, tarball] = /"filename": "([^"]+)"/.exec(packed) ?? [];
  if (tarball === undefined) throw new Error(`npm pack named no tarball:\n${packed}`);
  execFileSync('tar', ['-xzf', join(dir, tarball), '-C', dir]);
  return dir;
}
