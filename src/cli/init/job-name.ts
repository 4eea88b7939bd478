// Chooses the folder and the name of a new job.

import { basename, join, relative, resolve } from 'node:path';
import type { Options } from '../command.ts';
import { Refusal } from '../exit-code.ts';
import { ownName } from '../own-name.ts';
import { loadConfiguration } from '../session/configuration.ts';

/** The folder of the first source, as the user would type it in the current folder. @throws Refusal */
export function sourceFolder(options: Options): string {
  const [source] = loadConfiguration(options).config.sources;
  return source && source.path !== process.cwd() ? relative(process.cwd(), source.path) : 'jobs';
}

/** `~/bin/my backup.sh` → `my-backup` */
function nameOfScript(script: string): string {
  const name = safeName(basename(script).replace(/\.\w+$/, ''));
  return name === '' ? 'script' : name;
}

/** Like `nameOfScript`, but with the file's ending, for two scripts that differ only in their endings. */
export function longNameOfScript(script: string): string {
  return safeName(basename(script).replaceAll('.', '-'));
}

function safeName(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9._-]+/g, '-').replace(/^[^A-Za-z0-9]+/, '');
}

/** `jobs/nightly-report` → `Nightly report`. @throws Refusal */
export function titleOf(path: string): string {
  const name = basename(resolve(path))
    .replaceAll(/[-_.]+/g, ' ')
    .trim();
  if (name === '') throw new Refusal(`${path} does not name a job: try ${ownName} init jobs/hello`);
  return `${name[0]?.toUpperCase()}${name.slice(1)}`;
}

export function placeOfScript(script: string, folder: string): string {
  return join(folder, nameOfScript(script));
}
