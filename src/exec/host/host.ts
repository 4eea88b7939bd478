// What this host can enforce: runs each profile's real command once, with nothing to do.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, closeSync, mkdirSync, mkdtempSync, openSync, writeFileSync } from 'node:fs';
import { lstat, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SecurityProfile } from '../../domain/job.ts';
import { systemClock } from '../../lib/clock.ts';
import { errorCode } from '../../lib/error-code.ts';
import type { Capabilities, Capability } from '../executor.ts';
import { changesUser, isServerRoot } from '../job-user.ts';
import { hasFilter, isSandboxed, sandboxCommand } from '../sandbox/sandbox.ts';
import { seccompFilter } from '../sandbox/seccomp-filter.ts';
import { userNamespaceObstacle } from './host-kernel.ts';
import { findProgram } from './host-programs.ts';

const probeMs = 10_000;
const prefix = 'flwd-probe-';
/** Other probes under way are younger. */
const leftAfterMs = 6 * probeMs;

/**
 * For a profile that does not work, `detail` says what to install or to allow. The trials are started before this
 * returns, so that they run while a server loads its code, and while a fork of the process is still cheap.
 */
export async function probeHost(): Promise<Capabilities> {
  const dir = makeFolder();
  if (typeof dir !== 'string') return { secure: dir, permissive: dir, disabled: dir };
  try {
    const [secure, permissive, disabled] = await Promise.all([
      probe('secure', dir),
      probe('permissive', dir),
      probe('disabled', dir),
      removeLeft(),
    ]);
    return { secure, permissive, disabled };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

function makeFolder(): string | Capability {
  try {
    return mkdtempSync(join(tmpdir(), prefix));
  } catch (error) {
    const why = errorCode(error) ?? String(error);
    return {
      available: false,
      detail: `the folder for temporary files cannot be written (${why}): make /tmp writable, or set TMPDIR to a folder that is`,
    };
  }
}

/** Removes the folders of probes whose process was killed. */
async function removeLeft(): Promise<void> {
  const names = await readdir(tmpdir()).catch(() => []);
  for (const name of names.filter((name) => name.startsWith(prefix))) {
    const path = join(tmpdir(), name);
    const stats = await lstat(path).catch(() => undefined);
    const isOwn = stats?.isDirectory() === true && stats.uid === process.geteuid?.();
    if (isOwn && systemClock.now() - stats.mtimeMs > leftAfterMs)
      await rm(path, { recursive: true, force: true }).catch(() => undefined);
  }
}

async function probe(profile: SecurityProfile, dir: string): Promise<Capability> {
  if (!isSandboxed(profile) && process.platform === 'linux' && findProgram('bash'))
    return { available: true, detail: unsandboxedWords };
  const detail = missing(profile) ?? (await trial(profile, join(dir, profile)));
  return { available: detail === null, detail };
}

const unsandboxedWords =
  'bubblewrap is not installed, so a run has no sandbox and no pid namespace, and flwd cannot prove that all its processes have ended';

function missing(profile: SecurityProfile): string | null {
  if (process.platform !== 'linux')
    return 'jobs only run on Linux: start flwd in a virtual machine, WSL 2 or a container';
  if (!findProgram('bash')) return 'bash is not installed: apt-get install bash';
  if (!findProgram('bwrap')) return 'bubblewrap is not installed: apt-get install bubblewrap';
  if (changesUser(profile, null) && !findProgram('setpriv'))
    return 'setpriv is not installed: apt-get install util-linux';
  if (hasFilter(profile) && !seccompFilter(process.arch))
    return `flwd has no seccomp filter for ${process.arch}: run it on x86-64 or on 64-bit ARM`;
  return null;
}

async function trial(profile: SecurityProfile, place: string): Promise<string | null> {
  const filterPath = `${place}-filter`;
  writeFileSync(filterPath, seccompFilter(process.arch) ?? '');
  mkdirSync(place);
  chmodSync(place, 0o755);
  const [program = 'bwrap', ...args] = sandboxCommand({
    profile,
    runAs: null,
    network: profile === 'secure' ? 'none' : 'all',
    grants: [],
    masked: [],
    snapshotDir: place,
    workspaceDir: place,
    inDir: place,
    outDir: place,
    filterFd,
    blockFd: null,
    scratchBytes: 1_048_576,
    secretFds: [],
    argv: ['/bin/sh', '-c', ':'],
  });
  const said = await failureOf(program, args, filterPath);
  return said === null ? null : await explain(said);
}

const filterFd = 3;

/** What the command prints when it fails; null when it succeeds. */
async function failureOf(command: string, args: readonly string[], filterPath: string): Promise<string | null> {
  const filter = openSync(filterPath, 'r');
  try {
    const child = spawn(command, args, {
      cwd: '/',
      env: {},
      timeout: probeMs,
      stdio: ['ignore', 'ignore', 'pipe', filter],
    });
    const said: string[] = [];
    child.stderr?.setEncoding('utf8').on('data', (text: string) => said.push(text));
    const [code, signal] = await once(child, 'close');
    return code === 0 ? null : said.join('').trim() || `it ended with ${signal ?? code}`;
  } catch (error) {
    return String(error);
  } finally {
    closeSync(filter);
  }
}

async function explain(said: string): Promise<string> {
  if (/setuid/i.test(said)) return `bubblewrap must not be setuid (${said}): chmod u-s its program`;
  if (/seccomp/i.test(said)) {
    return `system calls cannot be filtered here (${said}): use a kernel with CONFIG_SECCOMP_FILTER, and a container that allows seccomp`;
  }
  if (!/namespace|uid map|permi|unshare|clone/i.test(said)) return `bubblewrap failed: ${said}`;
  if (isServerRoot) {
    return `this container or machine cannot make namespaces (${said}): give it the capability SYS_ADMIN, or start flwd as a user other than root`;
  }
  const obstacle = await userNamespaceObstacle();
  if (obstacle) return `${obstacle.detail}: ${obstacle.fix}`;
  return `this host does not allow user namespaces (${said})`;
}
