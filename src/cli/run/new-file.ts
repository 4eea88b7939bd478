// Writes a file completely or not at all, and replaces no other file unless asked to.

import { constants, lstatSync, statSync } from 'node:fs';
import { copyFile, link, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errorCode } from '../../lib/error-code.ts';
import { exitCodes, Refusal } from '../exit-code.ts';
import { fileTrouble } from '../file-trouble.ts';

export function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

export function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** The file has a temporary name until it is complete. @throws Refusal */
export async function writeNewFile(
  path: string,
  chunks: AsyncIterable<Uint8Array> | Iterable<string>,
  { mayReplace }: { readonly mayReplace: boolean },
): Promise<void> {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there && !mayReplace) throw taken(path);
  if (there && !there.isFile() && !there.isSymbolicLink())
    throw new Refusal(`${path} is not a regular file, so it is not replaced; --output - writes to standard output`);
  const unfinished = join(dirname(path), `.${basename(path).slice(0, 100)}.${process.pid}.part`);
  const file = await open(unfinished, 'wx').catch((error: unknown) => {
    throw unwritable(path, error);
  });
  try {
    try {
      for await (const chunk of chunks) await file.writeFile(chunk).catch((error: unknown) => refuse(path, error));
    } finally {
      await file.close();
    }
    if (mayReplace) await rename(unfinished, path).catch((error: unknown) => refuse(path, error));
    else await putInPlace(unfinished, path);
  } finally {
    await rm(unfinished, { force: true });
  }
}

/** Does not replace a file that appeared in the meantime. */
async function putInPlace(from: string, to: string): Promise<void> {
  try {
    await link(from, to).catch((error: unknown) => {
      if (errorCode(error) === 'EEXIST') throw error;
      // This file system has no hard links.
      return copyFile(from, to, constants.COPYFILE_EXCL);
    });
  } catch (error) {
    throw errorCode(error) === 'EEXIST' ? taken(to) : unwritable(to, error);
  }
}

function refuse(path: string, error: unknown): never {
  throw unwritable(path, error);
}

function taken(path: string): Refusal {
  return new Refusal(`${path} already exists; --force replaces it`, exitCodes.refused);
}

function unwritable(path: string, error: unknown): Refusal {
  return new Refusal(`cannot write ${path}: ${fileTrouble(error)}`);
}
