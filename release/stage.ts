// The files of a release that brings its own Node: the packed package and Node, in one folder with plain modes.

import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';

export const root = join(import.meta.dirname, '..');
/** Where releases are written. */
export const buildDir = join(root, 'build');

/** Options of tar with which the same files make the same archive. The time is the one that npm gives to files. */
export const reproducibly = [
  '--sort=name',
  '--owner=0',
  '--group=0',
  '--numeric-owner',
  '--mtime=1985-10-26T08:15:00Z',
];

type Manifest = { readonly version: string; readonly description: string };
export const manifest: Manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** Fills `folder` with the package, as `npm pack` makes it, and `node`. */
export function stage(folder: string): void {
  const packed = mkdtempSync(join(tmpdir(), 'flwd-pack-'));
  try {
    run('npm', ['pack', '--silent', '--pack-destination', packed]);
    mkdirSync(folder, { recursive: true });
    const tarball = join(packed, `flwd-${manifest.version}.tgz`);
    run('tar', ['-xzf', tarball, '-C', folder, '--strip-components=1', '--no-same-owner']);
    addNode(folder, packed);
    run('chmod', ['-R', 'u=rwX,go=rX', folder]);
  } finally {
    rmSync(packed, { recursive: true });
  }
}

/**
 * Adds the Node that package-lock.json pins and that the tests ran with. Only the package of its platform has its
 * licence.
 */
function addNode(folder: string, scratch: string): void {
  const { version }: Manifest = JSON.parse(readFileSync(join(root, 'node_modules/node/package.json'), 'utf8'));
  copyFileSync(join(root, 'node_modules/node/bin/node'), join(folder, 'node'));
  const name = `node-${process.platform}-${process.arch}`;
  run('npm', ['pack', '--silent', '--prefer-offline', '--pack-destination', scratch, `${name}@${version}`]);
  const packed = join(scratch, `${name}-${version}.tgz`);
  run('tar', ['-xzf', packed, '-C', scratch, 'package/LICENSE']);
  copyFileSync(join(scratch, 'package/LICENSE'), join(folder, 'LICENSE.node'));
}

/** The paths of all files below a folder, relative to it. */
export function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .toSorted();
}

/** Runs a program in the checkout, and shows what it prints to stderr. */
export function run(program: string, args: readonly string[]): string {
  return execFileSync(program, args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}
