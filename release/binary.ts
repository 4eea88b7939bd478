// `npm run binary`: writes flwd as one executable file for this platform, a script with an archive behind it (ADR
// 0054).

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { constants, gzipSync } from 'node:zlib';
import { buildDir, filesBelow, manifest, reproducibly, root, stage } from './stage.ts';

const platform = `${process.platform}-${process.arch}`;

/** The path of the file. */
export function buildBinary(): string {
  const folder = mkdtempSync(join(tmpdir(), 'flwd-binary-'));
  try {
    stage(folder);
    const sums = sumsOf(folder);
    writeFileSync(join(folder, 'SUMS'), sums);
    const path = join(buildDir, `flwd-${manifest.version}-${platform}`);
    mkdirSync(buildDir, { recursive: true });
    writeFileSync(path, Buffer.concat([Buffer.from(launcher(sha256(sums))), archiveOf(folder)]));
    chmodSync(path, 0o755);
    return path;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A line for each file, in the format that sha256sum reads. */
function sumsOf(folder: string): string {
  return filesBelow(folder)
    .map((path) => `${sha256(readFileSync(join(folder, path)))}  ${path}\n`)
    .join('');
}

function launcher(digest: string): string {
  const script = readFileSync(join(root, 'release/launcher.sh'), 'utf8');
  const values = {
    VERSION: manifest.version,
    PLATFORM: platform,
    DIGEST: digest,
    ARCHIVE_LINE: String(script.split('\n').length),
  };
  return Object.entries(values).reduce((text, [name, value]) => text.replaceAll(`@${name}@`, value), script);
}

function archiveOf(folder: string): Buffer {
  const tar = execFileSync('tar', [...reproducibly, '-C', folder, '-cf', '-', '.'], { maxBuffer: 2 ** 29 });
  return gzipSync(tar, { level: constants.Z_BEST_COMPRESSION });
}

const sha256 = (content: string | Buffer): string => createHash('sha256').update(content).digest('hex');

console.log(buildBinary());
