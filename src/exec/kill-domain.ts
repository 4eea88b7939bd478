// What an attempt has started, and what must end with it: all of its pid namespace, or, without a sandbox, what can be found of it
// (ADR 0031).

import { readFileSync } from 'node:fs';
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
} from './process-table.ts';
import type { ShimStatus } from './shim-status.ts';

export type KillDomain = {
  /** Processes of the script that are alive. */
  readonly members: () => number[];
  /** The same for who only looks, and may miss some. */
  readonly glance: () => number[];
  readonly isEmpty: () => boolean;
  /** Ends all of it by SIGKILL. */
  readonly kill: () => void;
  /** Whether `isEmpty` proves that nothing is left. */
  readonly isProof: boolean;
};

/** undefined where the attempt has started no script yet, or not since the machine did. */
export function killDomainOf(attemptDir: string, status: ShimStatus | undefined): KillDomain | undefined {
  const { shim, sandbox, script } = status ?? {};
  if (sandbox) return ofNamespace(sandbox);
  return shim && script && isOfThisBoot(shim) ? ofScript(attemptDir, shim, script) : undefined;
}

function ofNamespace(namespace: PidNamespace): KillDomain {
  return {
    // The namespace's first process is bwrap's and takes no signal but SIGKILL.
    members: () => membersOf(namespace).filter((pid) => pid !== namespace.initPid),
    glance: () => familyOf(namespace),
    isEmpty: () => isEmpty(namespace),
    kill: () => {
      send(namespace.initPid, 'SIGKILL');
    },
    isProof: true,
  };
}

type Script = NonNullable<ShimStatus['script']>;

/** Looks again as long as there is something to kill: what forks meanwhile is found by its parent. */
const mostRounds = 50;

function ofScript(attemptDir: string, shim: ProcessIdentity, script: Script): KillDomain {
  const members = (): number[] => membersOfScript(attemptDir, shim, script);
  return {
    members,
    glance: members,
    isEmpty: () => members().length === 0,
    kill() {
      for (let round = 0; round < mostRounds; round += 1) {
        const left = members();
        if (left.length === 0) return;
        // None of them may start another while the others end.
        for (const signal of ['SIGSTOP', 'SIGKILL'] as const) for (const pid of left) send(pid, signal);
      }
    },
    isProof: false,
  };
}

/**
 * The script, its process group, the attempt's cgroups, whoever has the attempt's paths in the environment that it was started with,
 * and all that descend from these. Nobody finds a process that has left all of them: started with another environment, in a session of its
 * own, by a parent that has ended, where there are no cgroups.
 */
function membersOfScript(attemptDir: string, shim: ProcessIdentity, script: Script): number[] {
  const processes = listProcesses();
  const isOurShim = isAlive(shim);
  const inGroups = new Set(groupsOf(attemptDir).flatMap(pidsIn));
  const mark = `FLWD_ARGS_FILE=${join(attemptDir, 'in', 'args.json')}`;
  const leader = processes.find(({ pid }) => pid === script.pid);
  // Its number may have gone to another process, with a group of its own.
  const isOurGroup = !leader || leader.startTicks === script.startTicks;
  const found = new Set<number>();
  for (const one of processes) {
    // The shim leads a group, and with it is what serves the script.
    if (one.group === shim.pid && isOurShim) continue;
    const isInGroup = isOurGroup && one.group === script.pid;
    if (isInGroup || inGroups.has(one.pid) || hasVariable(one.pid, mark)) found.add(one.pid);
  }
  addDescendants(found, processes, isOurShim ? shim.pid : undefined);
  return [...found];
}

function addDescendants(found: Set<number>, processes: readonly ListedProcess[], except: number | undefined): void {
  for (let size = -1; size !== found.size; ) {
    size = found.size;
    for (const { pid, parent, group } of processes) if (found.has(parent) && group !== except) found.add(pid);
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
    // It is gone.
    return [];
  }
}
