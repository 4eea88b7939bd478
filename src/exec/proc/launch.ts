// One attempt as a process: starts it, waits until it has ended and no process of it is left, and ends it on request.

import { existsSync, rmSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Termination } from '../../domain/run.ts';
import { systemClock } from '../../lib/clock.ts';
import { errorCode } from '../../lib/error-code.ts';
import { isDiskFull, isHostShort, retryShortage, shortageIn } from '../../lib/shortage.ts';
import { lookAtTmp } from '../collect/tmp-left.ts';
import type { AttemptEnd, AttemptProcess } from '../executor.ts';
import { giveVerdict } from '../sandbox/grant-verdict.ts';
import { closeGrants, GrantRefused, type OpenGrant, openGrants } from '../sandbox/granted-paths.ts';
import { type GuardedPlace, guardedPlaces } from '../sandbox/host-mounts.ts';
import { spoolPath } from './attempt-files.ts';
import { type LimitedSpec, leaveGroups } from './attempt-groups.ts';
import type { ForkServer } from './fork-server.ts';
import { killDomainOf } from './kill-domain.ts';
import { helpersOf, isAlive, isOfThisBoot, send } from './process-table.ts';
import { shimOrder } from './shim.ts';
import { untilShimEnds } from './shim-end.ts';
import { readStatus, type ShimStatus } from './shim-status.ts';
import { startFailed, startFailure } from './start-failure.ts';
import { endAttempt } from './terminate.ts';

/**
 * @throws if the host lacks disk space, descriptors or memory. The launch can then be retried. Any other failure ends
 * the attempt.
 */
export function launch(spec: LimitedSpec, forkServer: Pick<ForkServer, 'run'>): AttemptProcess {
  const hasFiles = existsSync(spec.snapshotDir);
  const message = hasFiles ? startFailed(spec.isSandboxed) : withoutFiles;
  const unsaid = { kind: 'not-started', message } as const;
  let grants: readonly OpenGrant[] = [];
  try {
    // This error goes to the server's log, which may contain the path. People who read the run must not see the path.
    if (!hasFiles) throw new Error(`${spec.snapshotDir} is missing`);
    grants = openGrants(spec);
    const places = guardedPlaces({ ...spec, grants });
    const shimEnded = untilShimEnds(spec.attemptDir, forkServer.run(shimOrder(spec, grants)));
    const isDone = grants.length > 0 ? guarded(spec.attemptDir, { grants, places }, shimEnded) : shimEnded;
    return supervise(spec.attemptDir, isDone, unsaid);
  } catch (error) {
    closeGrants(grants);
    removeSecrets(spec.attemptDir);
    // Nothing has been started yet, so the caller can try again.
    if (isDiskFull(error) || isHostShort(error)) throw error;
    return supervise(spec.attemptDir, Promise.reject(error), unsaid);
  }
}

/** The message if the folder of the revision is missing. A restore leaves out damaged revisions. */
const withoutFiles = 'the files of its revision no longer exist: run the job again with its current files';

/** Gives the verdict on the sandbox. Resolves when the shim has ended, with a verdict or without. */
async function guarded(
  attemptDir: string,
  { grants, places }: { readonly grants: readonly OpenGrant[]; readonly places: readonly GuardedPlace[] },
  shimEnded: Promise<void>,
): Promise<void> {
  let hasEnded = false;
  const end = shimEnded.finally(() => {
    hasEnded = true;
  });
  const all = await Promise.allSettled([end, giveVerdict(attemptDir, grants, places, () => hasEnded)]);
  closeGrants(grants);
  for (const one of all) if (one.status === 'rejected') throw one.reason;
}

/**
 * Waits for the end of an attempt, and cleans up. `shimEnded` rejects if no shim could be started. `unsaid` is the end
 * that is reported if no shim has identified itself.
 */
export function supervise(attemptDir: string, shimEnded: Promise<unknown>, unsaid: AttemptEnd): AttemptProcess {
  let termination: Promise<Termination> | undefined;
  const ended = shimEnded.then(
    async () => {
      const status = await retryShortage(() => untilNothingLeft(attemptDir));
      await retryShortage(() => removeSecrets(attemptDir));
      // If the kernel ended one process and the script still succeeded, the attempt has not failed.
      const { outOfMemory } = await retryShortage(() => leaveGroups(attemptDir, status.exitCode !== 0));
      const found = await retryShortage(() => endOf(attemptDir, status, unsaid));
      const end = outOfMemory ? withMemory(found) : found;
      // The end is unknown because the shim was killed as well, and only the shim writes the exit code.
      return end.kind === 'lost' && termination ? ({ kind: 'signalled', signal: 'KILL' } as const) : end;
    },
    async (error: unknown) => {
      await retryShortage(() => removeSecrets(attemptDir));
      await retryShortage(() => leaveGroups(attemptDir, true));
      return notStarted(error, unsaid);
    },
  );
  // A caller may await `ended` some time later. A rejection until then must not end the process.
  ended.catch(() => undefined);
  return {
    spoolPath: spoolPath(attemptDir),
    hasBegun: () => readStatus(attemptDir)?.shim !== undefined,
    ended,
    terminate: (ending) => (termination ??= endAttempt(ending, { attemptDir, ended })),
  };
}

const dyingMs = 5_000;
/** Each check may read all of /proc. The longer a check takes, the longer the pause before the next one. */
const firstPollMs = 1;
const longestPollMs = 50;

/** Removes the files with secrets. Only an attempt without a sandbox has them. */
export function removeSecrets(attemptDir: string): void {
  rmSync(join(attemptDir, 'secrets'), { recursive: true, force: true });
}

/** Waits until no process is left. The shim has ended already, but the namespace ends a moment after bwrap. */
async function untilNothingLeft(attemptDir: string): Promise<ShimStatus> {
  let hasLooked = false;
  const deadlineMs = systemClock.monotonicMs() + dyingMs;
  let pauseMs = firstPollMs;
  for (; systemClock.monotonicMs() < deadlineMs; await delay(pauseMs)) {
    pauseMs = Math.min(pauseMs * 1.2, longestPollMs);
    const status = readStatus(attemptDir) ?? {};
    const { shim, isOver } = status;
    if (!shim && isRemoved(attemptDir) && endWithoutFolder(attemptDir)) continue;
    if (!shim || !isOfThisBoot(shim)) return status;
    const isShimAlive = isAlive(shim);
    const waitsForLook = isShimAlive && isOver === true && status.tmpFd !== undefined && !hasLooked;
    if (isShimAlive && !waitsForLook) continue;
    if (!isOver && endOrphans(attemptDir) > 0) continue;
    const domain = killDomainOf(attemptDir, status);
    if (domain && !domain.isEmpty()) {
      // If the server does not run as root, the job's user also owns the namespace's first process, and can keep it
      // from dying with bwrap.
      domain.kill();
    } else if (waitsForLook) {
      // /tmp is read only after the end of all processes, because a process could replace a folder by a link.
      hasLooked = true;
      await lookAtTmp(attemptDir, status);
    } else {
      // If the last line is missing, the file may have been read before it was complete, so it is read again.
      return isOver ? status : (readStatus(attemptDir) ?? {});
    }
  }
  return readStatus(attemptDir) ?? {};
}

/**
 * The end of an attempt whose folder was removed. With the folder, its spool, status and workspace are lost, so there
 * is no result.
 */
export const removed = { kind: 'lost', message: 'its folder in the data dir was removed while it ran' } as const;

const withoutBwrap = { kind: 'lost', message: 'bubblewrap was killed, and its sandbox was ended with it' } as const;

function isRemoved(attemptDir: string): boolean {
  return !existsSync(attemptDir);
}

/**
 * A shim that is killed in its first milliseconds leaves bwrap or bwrap's child alive. That process has not yet asked
 * the kernel to kill it together with its parent.
 */
function endOrphans(attemptDir: string): number {
  const orphans = helpersOf(attemptDir);
  for (const pid of orphans) send(pid, 'SIGKILL');
  return orphans.length;
}

/**
 * Ends the processes of an attempt without a folder. Returns false if there were no processes, in a sandbox or outside.
 */
function endWithoutFolder(attemptDir: string): boolean {
  const script = killDomainOf(attemptDir, undefined);
  const isLeft = script !== undefined && !script.isEmpty();
  if (isLeft) script.kill();
  return endOrphans(attemptDir) > 0 || isLeft;
}

function endOf(attemptDir: string, status: ShimStatus, unsaid: AttemptEnd): AttemptEnd {
  if (!status.shim) return isRemoved(attemptDir) ? removed : unsaid;
  const message = startFailure(spoolPath(attemptDir), status, existsSync(join(attemptDir, 'sandbox')));
  if (message !== undefined) return { kind: 'not-started', message };
  const { exitCode, bwrapPid, isOver } = status;
  if (exitCode === undefined) return isOver && bwrapPid !== undefined ? withoutBwrap : { kind: 'lost' };
  const signal = signalOf(exitCode);
  return signal === undefined ? { kind: 'exited', code: exitCode } : { kind: 'signalled', signal };
}

/**
 * Marks an end as caused by the memory limit. The limit may even be too small for bwrap itself, which then ends without
 * a message.
 */
function withMemory(end: AttemptEnd): AttemptEnd {
  if (end.kind === 'exited') return { ...end, outOfMemory: true };
  return { kind: 'signalled', signal: end.kind === 'signalled' ? end.signal : 'KILL', outOfMemory: true };
}

/** Like a shell, bwrap returns 128 plus the signal's number for a script that a signal ended. */
function signalOf(exitCode: number): string | undefined {
  if (exitCode <= 128) return undefined;
  const [name] = Object.entries(constants.signals).find(([, number]) => number === exitCode - 128) ?? [];
  return name?.slice('SIG'.length);
}

const systemMessages: Readonly<Record<string, string>> = {
  E2BIG: 'its arguments and environment are too large to start a program',
  EAGAIN: 'the host cannot start another process',
};

function notStarted(error: unknown, unsaid: AttemptEnd): AttemptEnd {
  if (error instanceof GrantRefused) return { kind: 'not-started', message: error.message };
  const code = errorCode(error);
  if (code === undefined || code.startsWith('ERR_')) {
    const message = unsaid.kind === 'not-started' ? unsaid.message : 'it could not be resumed after a restart';
    return { kind: 'not-started', message, cause: error };
  }
  const message = systemMessages[code] ?? shortageIn(error) ?? `the host could not start it (${code})`;
  return { kind: 'not-started', message };
}
