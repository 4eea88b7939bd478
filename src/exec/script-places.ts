// Says where a script finds its files. In a sandbox, they are always at the same paths. Without a sandbox, they are at
// their paths on the host (ADR 0031).

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AttemptSpec } from './attempt-spec.ts';

export const libexecDir = fileURLToPath(new URL('../../libexec/', import.meta.url));

export type ScriptPlaces = {
  readonly job: string;
  readonly workspace: string;
  readonly in: string;
  readonly out: string;
  readonly secrets: string;
  /** The helpers `flwd_log` and so on. */
  readonly bin: string;
  readonly prelude: string;
  /** The server's own Node, for jobs in JavaScript. */
  readonly node: string;
};

export const sandboxPlaces: ScriptPlaces = {
  job: '/job',
  workspace: '/workspace',
  in: '/run/flwd/in',
  out: '/run/flwd/out',
  secrets: '/run/flwd/secrets',
  bin: '/run/flwd/bin',
  prelude: '/run/flwd/libexec/prelude.bash',
  node: '/run/flwd/node',
};

export function placesOf(
  spec: Pick<AttemptSpec, 'isSandboxed' | 'attemptDir' | 'workspaceDir' | 'snapshotDir'>,
): ScriptPlaces {
  if (spec.isSandboxed) return sandboxPlaces;
  return {
    job: spec.snapshotDir,
    workspace: spec.workspaceDir,
    in: join(spec.attemptDir, 'in'),
    out: join(spec.attemptDir, 'out'),
    secrets: join(spec.attemptDir, 'secrets'),
    bin: join(libexecDir, 'bin'),
    prelude: join(libexecDir, 'prelude.bash'),
    node: process.execPath,
  };
}
