// Jobs as an author would write them: a folder with a config.yaml and a script.

import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Maps a file name in the job's folder to its content. */
export type JobFiles = Readonly<Record<string, string | Buffer>>;
/** A config.yaml as data; JSON is YAML. */
export type JobConfig = Readonly<Record<string, unknown>>;

export function bash(script: string, config: JobConfig = {}): JobFiles {
  return job('run.sh', `#!/usr/bin/env bash\n${script}\n`, { ulc_profile: 'ulc.shell.bash', ...config });
}

export function python(script: string, config: JobConfig = {}): JobFiles {
  return job('main.py', `${script}\n`, { ulc_profile: 'ulc.python.3', ...config });
}

export function node(script: string, config: JobConfig = {}): JobFiles {
  return job('main.mjs', `${script}\n`, { ulc_profile: 'ulc.node', ...config });
}

function job(file: string, script: string, config: JobConfig): JobFiles {
  return { 'config.yaml': JSON.stringify({ command: `./${file}`, ...config }, null, 2), [file]: script };
}

export async function writeJob(dir: string, files: JobFiles): Promise<void> {
  // The config comes last, so a watching server never sees a job without its script.
  const names = Object.keys(files).toSorted(
    (a, b) => Number(a.endsWith('config.yaml')) - Number(b.endsWith('config.yaml')),
  );
  for (const name of names) {
    const path = join(dir, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, files[name] ?? '');
    if (String(files[name]).startsWith('#!')) await chmod(path, 0o755);
  }
}
