// One step of a job by itself: it does one thing, and its keys fit what it does.

import type { UlcProfile } from '../../domain/job.ts';
import type { JobPlace } from '../source/job-files.ts';
import { profileOfStep, readCommand } from './command.ts';
import { type MemberFault, ruleFault } from './config-fault.ts';
import type { RawStep } from './config-schema.ts';
import { whatIsWrongWithId } from './job-id.ts';
import { checkMatrix } from './matrix.ts';

const actions = ['script', 'command', 'job', 'approval'] as const;

/** Paths are inside the step. */
export function checkStep(step: RawStep, profile: UlcProfile | undefined, place: JobPlace): MemberFault[] {
  const faults: MemberFault[] = [];
  const named = actions.filter((action) => Object.hasOwn(step, action));
  if (named.length !== 1) {
    faults.push(
      ruleFault([], `a step has one of ${actions.join(', ')}, and \`${step.id}\` has ${named.length || 'none'}`),
    );
  }
  faults.push(...checkCommands(step, profile, place));
  const wrongId = step.job === undefined ? undefined : whatIsWrongWithId(step.job);
  if (wrongId !== undefined) faults.push(ruleFault(['job'], `\`${step.job}\` can be no job's id: ${wrongId}`));
  if (step.args && step.job === undefined) faults.push(ruleFault(['args'], '`args` are for a `job` alone', 'key'));
  if (step.retry && step.approval) {
    faults.push(ruleFault(['retry'], 'an approval is not tried again: `retry` is for the other steps', 'key'));
  }
  if (step.matrix && step.foreach !== undefined) {
    faults.push(ruleFault(['foreach'], '`matrix` and `foreach` cannot stand side by side', 'key'));
  }
  return [...faults, ...checkMatrix(step.matrix ?? {})];
}

function checkCommands(step: RawStep, profile: UlcProfile | undefined, place: JobPlace): MemberFault[] {
  const faults: MemberFault[] = [];
  for (const action of ['script', 'command'] as const) {
    const command = step[action];
    if (command === undefined) continue;
    if (action === 'script' && step.script?.startsWith('./') === false) {
      faults.push(ruleFault([action], 'a script is a file of the job: it must begin with ./'));
      continue;
    }
    const { faults: found } = readCommand(command, profileOfStep(command, profile), place);
    faults.push(...found.map((fault) => ({ ...fault, path: [action, ...fault.path] })));
  }
  return faults;
}
