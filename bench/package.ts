// flwd as it is installed: what `npm pack` makes, unpacked, with links to the checkout's copies of its dependencies. Nothing is
// fetched.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export type Package = {
  /** The executable. Packs when first asked, which takes some seconds. */
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
  const manifest: { dependencies: Record<string, string> } = JSON.parse(
    readFileSync(join(dir, 'package/package.json'), 'utf8'),
  );
  for (const name of Object.keys(manifest.dependencies)) {
    const link = join(dir, 'package/node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(checkout, 'node_modules', name), link);
  }
  return dir;
}
