// Finds out which profiles this host can enforce, by running the real command of each profile with a script that does
// nothing.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { lstat, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SecurityProfile } from '../../domain/job.ts';
import { systemClock } from '../../lib/clock.ts';
import { errorCode } from '../../lib/error-code.ts';
import { shellWord } from '../../lib/shell-word.ts';
import type { Capabilities, Capability } from '../executor.ts';
import { changesUser, isServerRoot } from '../job-user.ts';
import { hasFilter, isSandboxed, sandboxCommand } from '../sandbox/sandbox.ts';
import { seccompFilter } from '../sandbox/seccomp-filter.ts';
import { userNamespaceObstacle } from './host-kernel.ts';
import { findProgram } from './host-programs.ts';

export const securityProfiles = ['secure', 'permissive', 'disabled'] as const;
const probeMs = 10_000;
const prefix = 'flwd-probe-';
/** How old the folder of a probe must be to be certain that its process was killed. */
const leftAfterMs = 6 * probeMs;

/**
 * For a profile that does not work, `detail` says what to install or to allow. The trials start before this function
 * returns its promise. So they run while a server still loads its code. Its process is still small then, and a fork of
 * a small process is cheap.
 */
export async function probeHost(): Promise<Capabilities> {
  const dir = makeFolder();
  if (typeof dir !== 'string') return { secure: dir, permissive: dir, disabled: dir };
  try {
    const [capabilities] = await Promise.all([probe(dir), removeLeft()]);
    return capabilities;
  } finally {
    await rm(dir, { recursive: true, force: true });
    ownFolders.delete(dir);
  }
}

/** The folders of the probes that this process runs now. */
const ownFolders = new Set<string>();

function makeFolder(): string | Capability {
  try {
    const dir = mkdtempSync(join(tmpdir(), `${prefix}${process.pid}-`));
    ownFolders.add(dir);
    return dir;
  } catch (error) {
    const why = errorCode(error) ?? String(error);
    return {
      available: false,
      detail: `the folder for temporary files cannot be written (${why}): make /tmp writable, or set TMPDIR to a folder that is`,
    };
  }
}

/**
 * Removes the folders of probes whose process was killed. The age of a folder is not enough to tell: if the clock was
 * set, the folder of a running probe can look old.
 */
async function removeLeft(): Promise<void> {
  const names = await readdir(tmpdir()).catch(() => []);
  for (const name of names.filter((name) => name.startsWith(prefix))) {
    const path = join(tmpdir(), name);
    const [pid] = name.slice(prefix.length).split('-');
    // In a container, the server has the same pid after each start.
    const isRunning = Number(pid) === process.pid ? ownFolders.has(path) : existsSync(`/proc/${pid}`);
    if (isRunning) continue;
    const stats = await lstat(path).catch(() => undefined);
    const isOwn = stats?.isDirectory() === true && stats.uid === process.geteuid?.();
    if (isOwn && systemClock.now() - stats.mtimeMs > leftAfterMs)
      await rm(path, { recursive: true, force: true }).catch(() => undefined);
  }
}

async function probe(dir: string): Promise<Capabilities> {
  const untried = {
    secure: withoutTrial('secure'),
    permissive: withoutTrial('permissive'),
    disabled: withoutTrial('disabled'),
  };
  const trials = securityProfiles.filter((profile) => untried[profile] === undefined);
  const outcome = trials.length > 0 ? await runTrials(trials, dir) : null;
  const of = async (profile: SecurityProfile): Promise<Capability> => {
    const known = untried[profile];
    if (known) return known;
    const said = await failureOf(profile, dir, outcome);
    return { available: said === null, detail: said === null ? null : await explain(said) };
  };
  return { secure: await of('secure'), permissive: await of('permissive'), disabled: await of('disabled') };
}

/** Decides without a trial whether the profile works. Returns undefined if only a trial can tell. */
function withoutTrial(profile: SecurityProfile): Capability | undefined {
  if (!isSandboxed(profile) && process.platform === 'linux' && findProgram('bash'))
    return { available: true, detail: unsandboxedWords };
  const detail = missing(profile);
  return detail === null ? undefined : { available: false, detail };
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

/**
 * One shell runs all trials at the same time, because a fork of this process takes longer than a trial.
 * @returns what ended the shell before its trials had ended; null if the trials ended first
 */
async function runTrials(profiles: readonly SecurityProfile[], dir: string): Promise<string | null> {
  const filterPath = join(dir, 'filter');
  writeFileSync(filterPath, seccompFilter(process.arch) ?? '');
  const script = profiles.map((profile) => trialOf(profile, join(dir, profile), filterPath)).join('');
  const child = spawn('/bin/sh', ['-c', `${script}wait`], {
    cwd: '/',
    env: {},
    detached: true,
    stdio: 'ignore',
    timeout: probeMs,
  });
  try {
    const [code, signal] = await once(child, 'close');
    // If the shell was killed, its trials are still running.
    if (signal && child.pid !== undefined) killGroup(child.pid);
    return signal ?? (code === 0 ? null : String(code));
  } catch (error) {
    return String(error);
  }
}

function killGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL');
  } catch {
    // The process group has ended already.
  }
}

/**
 * Returns a line of shell that runs the trial. It writes the command's output to `<place>-said`, and then its exit
 * status to `<place>-status`.
 */
function trialOf(profile: SecurityProfile, place: string, filterPath: string): string {
  mkdirSync(place);
  chmodSync(place, 0o755);
  const command = sandboxCommand({
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
  const streams = `2>${shellWord(`${place}-said`)} ${filterFd}<${shellWord(filterPath)}`;
  return `{ ${command.map(shellWord).join(' ')} ${streams}; echo $? >${shellWord(`${place}-status`)}; } &\n`;
}

const filterFd = 3;

/** Returns the output of a trial that failed; null if it succeeded. */
async function failureOf(profile: SecurityProfile, dir: string, ended: string | null): Promise<string | null> {
  const read = async (name: string) => (await readFile(join(dir, `${profile}-${name}`), 'utf8').catch(() => '')).trim();
  const status = await read('status');
  if (status === '0') return null;
  return (await read('said')) || `it ended with ${status || ended}`;
}

async function explain(said: string): Promise<string> {
  if (/setuid/i.test(said)) return `bubblewrap must not be setuid (${said}): run chmod u-s on its program`;
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
