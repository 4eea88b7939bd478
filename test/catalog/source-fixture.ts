// Sources for tests: a directory tree written from a table, and a catalog over it. Both are removed when the test is
// over.

import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pino } from 'pino';
import { onTestFinished } from 'vitest';
import { type Catalog, createCatalog, type JobSource } from '../../src/catalog/catalog.ts';

export type Files = Readonly<Record<string, string | { readonly link: string }>>;

export function makeDirectory(): string {
  const dir = mkdtempSync(join(tmpdir(), 'flwd-catalog-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** A file that begins with `#!` becomes executable. */
export function write(root: string, files: Files): void {
  for (const [path, content] of Object.entries(files)) {
    const target = join(root, path);
    mkdirSync(dirname(target), { recursive: true });
    if (typeof content !== 'string') symlinkSync(content.link, target);
    else {
      writeFileSync(target, content);
      if (content.startsWith('#!')) chmodSync(target, 0o755);
    }
  }
}

export function makeSource(files: Files): string {
  const root = makeDirectory();
  write(root, files);
  return root;
}

/** The files that every job needs: its config.yaml and the script it names. */
export function job(path: string, config = 'command: ./run.sh\n'): Files {
  const prefix = path === '' ? '' : `${path}/`;
  return { [`${prefix}config.yaml`]: config, [`${prefix}run.sh`]: '#!/bin/bash\ntrue\n' };
}

export function sourceAt(path: string, more: Partial<JobSource> = {}): JobSource {
  return { name: 'local', type: 'fs', path, mountPath: '.', watch: true, trusted: true, ...more };
}

export async function openCatalog(
  sources: readonly JobSource[],
  aliases: readonly { from: string; to: string }[] = [],
  hadJobs = async (_source: string) => false,
): Promise<Catalog> {
  const catalog = createCatalog({ sources, aliases, exclude: [], log: pino({ level: 'silent' }), hadJobs });
  onTestFinished(() => catalog.close());
  await catalog.start();
  return catalog;
}

export function idsOf(catalog: Catalog): string[] {
  return catalog.entries().map((entry) => entry.definition.id);
}

/** Returns `id: file:line:column: message` for every error. */
export function errorsOf(catalog: Catalog): string[] {
  return catalog
    .invalid()
    .flatMap(({ id, errors }) =>
      errors.map(({ file, line, column, message }) => `${id}: ${file}:${line}:${column}: ${message}`),
    );
}

/** Root may read every folder, so as root, `read` runs as another user. */
export async function asNobody<Result>(read: () => Promise<Result>): Promise<Result> {
  const isRoot = process.getuid?.() === 0;
  if (isRoot) process.seteuid?.(65534);
  try {
    return await read();
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
}
