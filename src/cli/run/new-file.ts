// A file that is there whole or not at all, and in no other's place.

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

/** Under a name of its own until it is whole. @throws Refusal */
export async function writeNewFile(
  path: string,
  chunks: AsyncIterable<Uint8Array> | Iterable<string>,
  { mayReplace }: { readonly mayReplace: boolean },
): Promise<void> {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there && !mayReplace) throw taken(path);
  if (there && !there.isFile() && !there.isSymbolicLink())
    throw new Refusal(`${path} is no file that could be replaced; --output - is standard output`);
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

/** Not in the place of one that has come meanwhile. */
async function putInPlace(from: string, to: string): Promise<void> {
  try {
    await link(from, to).catch((error: unknown) => {
      if (errorCode(error) === 'EEXIST') throw error;
      // No links on this file system.
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
  return new Refusal(`${path} is there already; --force replaces it`, exitCodes.refused);
}

function unwritable(path: string, error: unknown): Refusal {
  return new Refusal(`${path} cannot be written: ${fileTrouble(error)}`);
}
