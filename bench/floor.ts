// The floor: the same script in the same sandbox, started by a bare loop that stores nothing.

import { spawn } from 'node:child_process';
import {
  chownSync,
  closeSync,
  fdatasyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SecurityProfile } from '../src/domain/job.ts';
import { sandboxCommand } from '../src/exec/sandbox/sandbox.ts';
import { seccompFilter } from '../src/exec/sandbox/seccomp-filter.ts';
import { median, nowMs } from './measure.ts';

export type BareSandbox = {
  /** Starts the script and resolves when it has ended. Its output goes to `stdoutPath`, or to /dev/null. */
  readonly run: (stdoutPath?: string) => Promise<void>;
  readonly workspaceDir: string;
  readonly remove: () => void;
};

export function bareSandbox(profile: SecurityProfile, script: string): BareSandbox {
  const dir = mkdtempSync('/dev/shm/flwd-floor-');
  const paths = Object.fromEntries(['job', 'workspace', 'in', 'out'].map((name) => [name, join(dir, name)]));
  const { job = '', workspace = '', in: inDir = '', out = '' } = paths;
  for (const path of [job, workspace, inDir, out]) mkdirSync(path, { mode: 0o755 });
  if (process.getuid?.() === 0 && profile !== 'disabled') chownSync(workspace, 65534, 65534);
  writeFileSync(join(job, 'run.sh'), script);
  const filterPath = join(dir, 'seccomp-filter');
  writeFileSync(filterPath, seccompFilter(process.arch) ?? '');
  const [command = 'bwrap', ...args] = sandboxCommand({
    profile,
    network: profile === 'secure' ? 'none' : 'all',
    runAs: null,
    grants: [],
    snapshotDir: job,
    workspaceDir: workspace,
    inDir,
    outDir: out,
    masked: [],
    filterFd: 4,
    blockFd: null,
    scratchBytes: 2 ** 30,
    secretFds: [],
    argv: ['bash', '/job/run.sh'],
  });
  const report = openSync('/dev/null', 'w');
  return {
    workspaceDir: workspace,
    run: (stdoutPath) =>
      new Promise((resolve, reject) => {
        const fd = stdoutPath === undefined ? undefined : openSync(stdoutPath, 'a');
        const filter = openSync(filterPath, 'r');
        const child = spawn(command, args, {
          env: { PATH: '/usr/bin:/bin' },
          // fd 3: where the sandbox reports its first process and exit code.
          stdio: ['ignore', fd ?? 'ignore', 'ignore', report, filter],
        });
        closeSync(filter);
        if (fd !== undefined) closeSync(fd);
        child.once('error', reject);
        child.once('exit', (code) =>
          code === 0 ? resolve() : reject(new Error(`the floor's sandbox exited with ${code}`)),
        );
      }),
    remove() {
      closeSync(report);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** The least time that every answer to a change must wait: 8 KiB are synced to the disk of the database. */
export function medianSyncMs(): number {
  const dir = mkdtempSync(join(tmpdir(), 'flwd-floor-'));
  const fd = openSync(join(dir, 'file'), 'w');
  const samples = Array.from({ length: 100 }, () => {
    const startedAt = nowMs();
    writeSync(fd, Buffer.alloc(8192, 1));
    fdatasyncSync(fd);
    return nowMs() - startedAt;
  });
  closeSync(fd);
  rmSync(dir, { recursive: true });
  return median(samples);
}
