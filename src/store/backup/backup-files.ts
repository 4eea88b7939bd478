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
/** The name of each key file in a backup, and the member of `Places` with its path in an instance. */
export const keyFiles = { 'secret.key': 'secretKeyFile', 'notify.key': 'signingKeyFile' } as const;

export function isKeyFile(path: string): path is keyof typeof keyFiles {
  return path in keyFiles;
}

/** The content of the manifest, which is written last. A folder without a manifest is not a complete backup. */
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
  /**
   * Files that were already damaged when the backup was taken. The backup has no copy of those that could not be read.
   * Older backups lack this list.
   */
  readonly damaged?: readonly DamagedFile[];
};

export type DamagedFile = {
  /** The path in the backup. */
  readonly name: string;
  /** What the file is, and what is wrong with it, in words. */
  readonly what: string;
};

/** A damaged file that was restored as it was. If its checksum has changed, somebody has replaced it. */
export type RestoredDamage = DamagedFile & { readonly sha256: string };

/** A file in the data dir that contains a list of `RestoredDamage`. */
export const restoredDamageFile = 'restored-damage.json';

const chunkBytes = 256 * 1024;

/**
 * Copies a file with its mode.
 * @throws the system's error, for example ENOENT if the file does not exist
 */
export async function copyFile(from: string, to: string): Promise<Sum> {
  const source = await open(from, 'r');
  try {
    const { size, mode } = await source.stat();
    await mkdir(dirname(to), { recursive: true, mode: 0o700 });
    const target = await open(to, 'wx', 0o600);
    try {
      // `open` applies the umask. The copy must have the same mode, because jobs may run as another user.
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

/** Reads only the first `sizeBytes`, because a file that is being written might never end. */
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
      // sha256sum(1) escapes backslashes and newlines in a name, and puts a backslash at the start of such a line.
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
