// Reads a config.yaml as the catalog does. The folder also has a few files that the config.yaml can name.

import { readJobFile } from '../../src/catalog/job/job-file.ts';
import { nothingIgnored } from '../../src/catalog/source/ignore.ts';
import type { JobDefinition } from '../../src/domain/job.ts';
import { createYielder } from '../../src/lib/yielder.ts';
import { type Files, makeSource, write } from './source-fixture.ts';

const scripts: Files = { 'run.sh': '#!/bin/bash\n', 'lib/x.sh': '#!/bin/bash\n', data: 'x' };

export async function read(config: string, files: Files = {}) {
  const root = makeSource({ 'config.yaml': config });
  write(root, { ...scripts, ...files });
  return readJobFile({
    source: { name: 'local', path: root, mountPath: 'j' },
    path: '',
    configFiles: ['config.yaml'],
    ignore: nothingIgnored,
    maybeYield: createYielder(),
  });
}

export async function definitionOf(config: string, files: Files = {}): Promise<JobDefinition> {
  const job = await read(config, files);
  if ('id' in job) return job;
  throw new Error(JSON.stringify(job));
}

/** Returns `line:column: message` for each error. */
export async function errorsIn(config: string, files: Files = {}): Promise<string[]> {
  const job = await read(config, files);
  return 'id' in job ? [] : job.map(({ line, column, message }) => `${line}:${column}: ${message}`);
}
