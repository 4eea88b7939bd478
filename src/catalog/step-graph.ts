// The steps of a job as a graph: every step does one thing, needs only steps that exist, and needs come to an end.

import type { UlcProfile } from '../domain/job.ts';
import { nearest } from '../lib/nearest.ts';
import { profileOfStep, readCommand } from './command.ts';
import { type MemberFault, ruleFault } from './config-fault.ts';
import type { RawStep } from './config-schema.ts';
import type { JobPlace } from './job-files.ts';
import { findSameVariables } from './variable-names.ts';

const actions = ['script', 'command', 'job', 'approval'] as const;

/** Paths are inside `steps`. */
export function checkSteps(steps: readonly RawStep[], profile: UlcProfile | undefined, place: JobPlace): MemberFault[] {
  return [
    ...steps.flatMap((step, at) => checkStep(step, at, profile, place)),
    ...checkIds(steps),
    ...checkNeeds(steps),
  ];
}

function checkStep(step: RawStep, at: number, profile: UlcProfile | undefined, place: JobPlace): MemberFault[] {
  const faults: MemberFault[] = [];
  const here = String(at);
  const named = actions.filter((action) => Object.hasOwn(step, action));
  if (named.length !== 1) {
    faults.push(
      ruleFault([here], `a step has one of ${actions.join(', ')}, and \`${step.id}\` has ${named.length || 'none'}`),
    );
  }
  for (const action of ['script', 'command'] as const) {
    const command = step[action];
    if (command === undefined) continue;
    if (action === 'script' && step.script?.startsWith('./') === false) {
      faults.push(ruleFault([here, action], 'a script is a file of the job: it must begin with ./'));
      continue;
    }
    const { faults: found } = readCommand(command, profileOfStep(command, profile), place);
    faults.push(...found.map((fault) => ({ ...fault, path: [here, action, ...fault.path] })));
  }
  if (step.args && step.job === undefined)
    faults.push(ruleFault([here, 'args'], '`args` are for a `job` alone', 'key'));
  if (step.matrix && step.foreach !== undefined) {
    faults.push(ruleFault([here, 'foreach'], '`matrix` and `foreach` cannot stand side by side', 'key'));
  }
  for (const { name, before } of findSameVariables(Object.keys(step.matrix ?? {}))) {
    faults.push(ruleFault([here, 'matrix', name], `\`${before}\` and \`${name}\` would be the same variable`, 'key'));
  }
  return faults;
}

function checkIds(steps: readonly RawStep[]): MemberFault[] {
  const seen = new Map<string, number>();
  const faults: MemberFault[] = [];
  for (const [at, { id }] of steps.entries()) {
    if (seen.has(id)) faults.push(ruleFault([String(at), 'id'], `there is a step \`${id}\` already`));
    else seen.set(id, at);
  }
  for (const { name, before } of findSameVariables([...seen.keys()])) {
    const message = `the outputs of \`${before}\` and \`${name}\` would be the same variables`;
    faults.push(ruleFault([String(seen.get(name)), 'id'], message));
  }
  return faults;
}

function checkNeeds(steps: readonly RawStep[]): MemberFault[] {
  const needs = new Map(steps.map((step) => [step.id, step.needs ?? []]));
  const faults: MemberFault[] = [];
  for (const [at, step] of steps.entries()) {
    for (const [index, need] of (step.needs ?? []).entries()) {
      if (needs.has(need)) continue;
      const near = nearest(need, [...needs.keys()]);
      const message = `there is no step \`${need}\`${near === undefined ? '' : `: did you mean \`${near}\`?`}`;
      faults.push(ruleFault([String(at), 'needs', String(index)], message));
    }
  }
  const cycle = findCycle(needs);
  if (cycle) {
    const at = steps.findIndex(({ id }) => id === cycle[0]);
    faults.push(ruleFault([String(at), 'needs'], `the steps need each other in a circle: ${cycle.join(' → ')}`));
  }
  return faults;
}

/** `build → test → build`; undefined when there is none. */
function findCycle(needs: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>();
  const visit = (id: string, way: readonly string[]): string[] | undefined => {
    const start = way.indexOf(id);
    if (start !== -1) return [...way.slice(start), id];
    if (done.has(id)) return undefined;
    done.add(id);
    for (const need of needs.get(id) ?? []) {
      const cycle = visit(need, [...way, id]);
      if (cycle) return cycle;
    }
    return undefined;
  };
  for (const id of needs.keys()) {
    const cycle = visit(id, []);
    if (cycle) return cycle;
  }
  return undefined;
}
