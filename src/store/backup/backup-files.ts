// The files of a backup, and their checksums in the format of `sha256sum -c`.

import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';

export type Sum = { readonly sha256: string; readonly sizeBytes: number };

export const sumsFile = 'files.sha256';
export const manifestFile = 'manifest.json';
export const databaseFile = 'flwd.db';
/** The keys by their names in a backup, and where an instance has them. */
export const keyFiles = { 'secret.key': 'secretKeyFile', 'notify.key': 'signingKeyFile' } as const;

export function isKeyFile(path: string): path is keyof typeof keyFiles {
  return path in keyFiles;
}

/** This file is written last: a folder without it is not a complete backup. */
export type Manifest = {
  readonly format: 1;
  readonly flwd: string;
  readonly created_at: string;
  /** The version of the database schema. */
  readonly schema: number;
  readonly files: number;
  readonly bytes: number;
  /** The checksum of `files.sha256`. */
  readonly sums_sha256: string;
  readonly has_key: boolean;
  /** Files that were damaged when the backup was taken. Unreadable ones are not in it. Older backups lack this list. */
  readonly damaged?: readonly DamagedFile[];
};

export type DamagedFile = {
  /** The path in the backup. */
  readonly name: string;
  /** What the file is, and what is wrong with it. */
  readonly what: string;
};

/** A damaged file that was restored as it was. Once its checksum differs, it counts as replaced. */
export type RestoredDamage = DamagedFile & { readonly sha256: string };

/** A file in the data dir with a list of `RestoredDamage`. */
export const restoredDamageFile = 'restored-damage.json';

const chunkBytes = 256 * 1024;

/** Copies the file's current content and its mode. @throws the system's error: ENOENT when it is gone */
export async function copyFile(from: string, to: string): Promise<Sum> {
  const source = await open(from, 'r');
  try {
    const { size, mode } = await source.stat();
    await mkdir(dirname(to), { recursive: true, mode: 0o700 });
    const target = await open(to, 'wx', 0o600);
    try {
      // Sets the mode regardless of the umask, because jobs may run as another user.
      await target.chmod(mode & 0o777);
      return await read(source, size, (chunk) => target.appendFile(chunk));
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

export async function sumOf(path: string): Promise<Sum> {
  const file = await open(path, 'r');
  try {
    return await read(file, (await file.stat()).size);
  } finally {
    await file.close();
  }
}

/** Reads only the first `sizeBytes`: a file that is being written may never end. */
async function read(source: FileHandle, sizeBytes: number, each?: (chunk: Buffer) => Promise<unknown>): Promise<Sum> {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(Math.min(chunkBytes, Math.max(1, sizeBytes)));
  let done = 0;
  while (done < sizeBytes) {
    const { bytesRead } = await source.read(buffer, 0, Math.min(buffer.length, sizeBytes - done), done);
    if (bytesRead === 0) break;
    const chunk = buffer.subarray(0, bytesRead);
    hash.update(chunk);
    await each?.(chunk);
    done += bytesRead;
  }
  return { sha256: hash.digest('hex'), sizeBytes: done };
}

export type SumsWriter = ReturnType<typeof openSums>;

export function openSums(dir: string) {
  const out = createWriteStream(join(dir, sumsFile), { flags: 'wx', mode: 0o600 });
  const failed = new Promise<never>((_, reject) => out.on('error', reject));
  failed.catch(() => undefined);
  let files = 0;
  let bytes = 0;
  return {
    get files(): number {
      return files;
    },
    get bytes(): number {
      return bytes;
    },
    add(path: string, { sha256, sizeBytes }: Sum): void {
      files += 1;
      bytes += sizeBytes;
      // A backslash and a newline in a name are escaped, and such a line begins with a backslash (sha256sum(1)).
      const name = path.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
      out.write(`${name === path ? '' : '\\'}${sha256}  ${name}\n`);
    },
    async close(): Promise<void> {
      await Promise.race([new Promise<void>((resolve) => out.end(resolve)), failed]);
    },
  };
}

export async function* readSums(dir: string): AsyncGenerator<{ path: string; sha256: string }> {
  for await (const line of createInterface({ input: createReadStream(join(dir, sumsFile)), crlfDelay: Infinity })) {
    const match = /^(\\?)([0-9a-f]{64}) {2}(.+)$/.exec(line);
    if (!match) continue;
    const [, escaped, sha256 = '', name = ''] = match;
    yield { sha256, path: escaped ? name.replaceAll(/\\(n|\\)/g, (_, char) => (char === 'n' ? '\n' : '\\')) : name };
  }
}
