// Finds the line and column of a key in a job's config.yaml.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JobError } from '../../domain/job.ts';
import { placesIn, type YamlPath } from '../../lib/yaml/yaml-places.ts';

/** @param dir the job's folder */
export function placeOf(dir: string, path: YamlPath): Omit<JobError, 'message'> {
  const [file, text] = readConfig(dir);
  const { line, col } = placesIn(text)(path, false);
  return { file, line, column: col };
}

function readConfig(dir: string): readonly [file: string, text: string] {
  try {
    return ['config.yaml', readFileSync(join(dir, 'config.yaml'), 'utf8')];
  } catch {
    return ['config.d/config.yaml', readFileSync(join(dir, 'config.d/config.yaml'), 'utf8')];
  }
}
