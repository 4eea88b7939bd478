// Writes the files of a new job: all of them or nothing, never over existing files, and only if the job is valid.

import { chmodSync, constants, copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { errorCode } from '../../lib/error-code.ts';
import { jobsDir, type Options } from '../command.ts';
import { verbs } from '../command-line.ts';
import { Refusal } from '../exit-code.ts';
import { commandText } from '../session/command-text.ts';
import { loadConfiguration } from '../session/configuration.ts';
import type { Output } from '../terminal/output.ts';
import { type Needs, needsJson } from './needs.ts';

export type NewFile = { readonly name: string; readonly text: string | Buffer; readonly mode: number };

/** @param path the folder as the user typed it. @throws Refusal */
export async function writeJob(path: string, files: readonly NewFile[]): Promise<void> {
  const taken = files.find(({ name }) => existsSync(join(path, name)));
  if (taken) throw new Refusal(`${join(path, taken.name)} already exists: nothing was written`);
  const draft = mkdtempSync(join(tmpdir(), 'flwd-init-'));
  try {
    for (const { name, text, mode } of files) {
      mkdirSync(dirname(join(draft, name)), { recursive: true });
      writeFileSync(join(draft, name), text);
      chmodSync(join(draft, name), mode);
    }
    await assertValid(draft, basename(resolve(path)));
    // A folder is a job from the moment it has a config.yaml.
    const configLast = files.toSorted((a, b) => Number(a.name === 'config.yaml') - Number(b.name === 'config.yaml'));
    for (const { name } of configLast) {
      mkdirSync(dirname(join(path, name)), { recursive: true });
      copyFileSync(join(draft, name), join(path, name), constants.COPYFILE_EXCL);
    }
  } catch (error) {
    const code = errorCode(error);
    throw code ? new Refusal(`cannot write ${path} (${code})`) : error;
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

async function assertValid(dir: string, name: string): Promise<void> {
  const { readJobFolder } = await import('../../sources.ts');
  const { invalid } = await readJobFolder(dir, name);
  const errors = invalid.flatMap(({ errors }) => errors.map(({ line, message }) => `config.yaml:${line} ${message}`));
  if (errors.length > 0) throw new Refusal(`nothing was written:\n${errors.join('\n')}`);
}

/** Prints the new files and the next commands to type. @param o.sample the arguments that the job requires */
export async function describeJob(
  path: string,
  files: readonly NewFile[],
  o: {
    readonly options: Options;
    readonly output: Output;
    readonly sample: readonly string[];
    /** What a job made from a script needs. */
    readonly needs?: Needs;
  },
): Promise<void> {
  const { options, output } = o;
  const written = files.map(({ name }) => join(path, name));
  const found = await locate(path, options, output);
  if (output.isJson) {
    const needs = o.needs === undefined ? {} : { needs: needsJson(o.needs) };
    output.json({ id: found?.id ?? null, source: found?.source ?? null, files: written, ...needs });
    return;
  }
  output.text(written.map((file) => `${file}\n`).join(''));
  if (found?.id === undefined) return;
  const { id } = found;
  const call = verbs.includes(id.split('/')[0] ?? '') ? ['run', id] : [id];
  const jobs = [...(options.get(jobsDir.name) ?? []), ...(found.isOutside ? [found.source] : [])];
  const within = new Map([...options, [jobsDir.name, jobs]]);
  const lines = [
    commandText(within, ...call, ...o.sample),
    commandText(within, ...call, '--help'),
    ...(files.some(({ name, text }) => name === 'tests.yaml' && /^- /m.test(String(text)))
      ? [commandText(within, 'test', id)]
      : []),
  ];
  for (const line of ['next:', ...lines.map((line) => `  ${line}`)]) output.say(line);
}

type Found = { readonly id: string; readonly source: string; readonly isOutside: boolean };

/** Finds the source that contains the job. Warns if no source does, or if the source ignores it. */
export async function locate(path: string, options: Options, output: Output): Promise<Found | undefined> {
  const { locateJob } = await import('../../sources.ts');
  try {
    const { config } = loadConfiguration(options);
    const place = await locateJob(config, resolve(path));
    if (place && 'id' in place) return { ...place, isOutside: false };
    if (place) {
      output.warn(`${path} is in the source ${place.source}, which ignores it: ${place.error}`);
      return undefined;
    }
    const sources = config.sources.map((source) => source.displayPath).join(', ');
    output.warn(
      `${path} is in none of the configured sources (${sources}): add its folder to flwd.yaml, or name it with --jobs`,
    );
    const around = relative(process.cwd(), resolve(path, '..')) || '.';
    return { id: basename(resolve(path)), source: around, isOutside: true };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    output.warn(`no source can load this job until you fix this: ${error.message}`);
    return undefined;
  }
}
