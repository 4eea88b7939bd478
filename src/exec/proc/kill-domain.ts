// The processes that must end with an attempt: those of its pid namespace or, without a sandbox, all of its processes
// that can be found (ADR 0031).

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { groupsOf } from './attempt-groups.ts';
import {
  familyOf,
  isAlive,
  isEmpty,
  isOfThisBoot,
  type ListedProcess,
  listProcesses,
  lookInto,
  membersOf,
  type PidNamespace,
  type ProcessIdentity,
  send,
  statOf,
} from './process-table.ts';
import type { ShimStatus } from './shim-status.ts';

export type KillDomain = {
  /** Returns the live processes of the script. */
  readonly members: () => number[];
  /** A cheaper version of `members`, which may miss some processes. It is for callers that only measure them. */
  readonly quickMembers: () => number[];
  readonly isEmpty: () => boolean;
  /** Ends all members with SIGKILL. */
  readonly kill: () => void;
  /** Whether `isEmpty` proves that nothing is left. */
  readonly isProof: boolean;
};

/**
 * Returns undefined if the attempt has not started a script since the machine booted. If somebody has removed the
 * attempt's folder, its processes are still found by their environments.
 */
export function killDomainOf(attemptDir: string, status: ShimStatus | undefined): KillDomain | undefined {
  const { shim, sandbox, script } = status ?? {};
  if (sandbox) return ofNamespace(sandbox);
  if (!shim) return existsSync(attemptDir) ? undefined : ofScript(attemptDir, undefined, undefined);
  return script && isOfThisBoot(shim) ? ofScript(attemptDir, shim, script) : undefined;
}

function ofNamespace(namespace: PidNamespace): KillDomain {
  return {
    // The namespace's first process is left out. It belongs to bwrap, and accepts no signal except SIGKILL.
    members: () => membersOf(namespace).filter((pid) => pid !== namespace.initPid),
    quickMembers: () => familyOf(namespace),
    isEmpty: () => isEmpty(namespace),
    kill: () => {
      send(namespace.initPid, 'SIGKILL');
    },
    isProof: true,
  };
}

type Script = NonNullable<ShimStatus['script']>;

/**
 * How many rounds of searching for processes and stopping them. Processes may multiply faster than they can be stopped.
 * The caller, which waits for their end, calls `kill` again.
 */
const mostRounds = 50;

function ofScript(attemptDir: string, shim: ProcessIdentity | undefined, script: Script | undefined): KillDomain {
  // A process that was found once is recognised by its start time, even if it has left its group or parent since then.
  const known = new Set<string>();
  const members = (): number[] => {
    const found = membersOfScript({ attemptDir, shim, script, known });
    for (const one of found) known.add(nameOf(one));
    return found.map(({ pid }) => pid);
  };
  return {
    members,
    quickMembers: members,
    isEmpty: () => members().length === 0,
    kill() {
      // All processes are stopped before they are killed, so that no process can start another one meanwhile.
      const asked = new Set<number>();
      const stopped: number[] = [];
      for (let round = 0; round < mostRounds; round += 1) {
        const others = members().filter((pid) => !asked.has(pid));
        if (others.length === 0) break;
        for (const pid of others) {
          asked.add(pid);
          if (send(pid, 'SIGSTOP')) stopped.push(pid);
        }
      }
      for (const pid of stopped) send(pid, 'SIGKILL');
    },
    isProof: false,
  };
}

/**
 * Finds the script, the processes of its process group and of the attempt's cgroups, and those that started with the
 * attempt's paths in their environment. All descendants of these are included. Without cgroups, it misses a process
 * with another environment, in its own session, whose parent has ended. The server's own process and its ancestors are
 * never included, because a run may have started the server that now resumes the run.
 */
function membersOfScript(o: {
  readonly attemptDir: string;
  readonly shim: ProcessIdentity | undefined;
  readonly script: Script | undefined;
  readonly known: ReadonlySet<string>;
}): ListedProcess[] {
  const { attemptDir, script } = o;
  const processes = listProcesses();
  const shimGroup = o.shim && isAlive(o.shim) ? o.shim.pid : undefined;
  const spared = ancestryOf(process.pid, processes);
  // The shim and its helper processes form one process group, which does not count.
  const candidates = processes.filter(({ pid, group }) => group !== shimGroup && !spared.has(pid));
  const inGroups = new Set(groupsOf(attemptDir).flatMap(pidsIn));
  const mark = `FLWD_ARGS_FILE=${join(attemptDir, 'in', 'args.json')}`;
  const found = new Set(
    candidates.filter((one) => inGroups.has(one.pid) || o.known.has(nameOf(one)) || hasVariable(one.pid, mark)),
  );
  // The number of the script's group may belong to another group by now, because the kernel reuses it once the group
  // has no member.
  const isOurGroup =
    script &&
    (statOf(script.pid)?.startTicks === script.startTicks || [...found].some(({ group }) => group === script.pid));
  if (isOurGroup) for (const one of candidates) if (one.group === script.pid) found.add(one);
  addDescendants(found, candidates);
  return [...found];
}

function nameOf({ pid, startTicks }: ListedProcess): string {
  return `${pid} ${startTicks}`;
}

/** Returns a process and all its ancestors. */
function ancestryOf(pid: number, processes: readonly ListedProcess[]): ReadonlySet<number> {
  const parents = new Map(processes.map((one) => [one.pid, one.parent]));
  const ancestry = new Set<number>();
  for (let at: number | undefined = pid; at !== undefined && !ancestry.has(at); at = parents.get(at)) ancestry.add(at);
  return ancestry;
}

function addDescendants(found: Set<ListedProcess>, processes: readonly ListedProcess[]): void {
  const pids = new Set([...found].map(({ pid }) => pid));
  for (let size = -1; size !== found.size; ) {
    size = found.size;
    for (const one of processes) {
      if (!pids.has(one.parent)) continue;
      found.add(one);
      pids.add(one.pid);
    }
  }
}

function hasVariable(pid: number, entry: string): boolean {
  const environment = lookInto(pid, 'environ', (path) => readFileSync(path, 'utf8')) ?? '';
  return environment.includes(entry) && environment.split('\0').includes(entry);
}

function pidsIn(group: string): number[] {
  try {
    return readFileSync(join(group, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number);
  } catch {
    // The group was removed already.
    return [];
  }
}
