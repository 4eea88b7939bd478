// The approval that an agent's run needs before any other step of the run starts (ADR 0067). It is an extra step, and
// all other steps need it.

import type { JobDefinition, StepDefinition } from '../../domain/job.ts';
import type { Principal } from '../../domain/principal.ts';

/**
 * How long a run may wait for its approval. While it waits, it counts towards the limit of its job, so it must not wait
 * forever.
 */
const longestWaitMs = 86_400_000;

/** Returns whether a person must approve a run that this principal starts. */
export function asksPerson({ isAgent, asksAlways }: Principal, { agents }: Pick<JobDefinition, 'agents'>): boolean {
  return asksAlways === true || (isAgent === true && agents.approval);
}

/** @param starter the name of the caller who starts the run */
export function withAgentApproval(steps: readonly StepDefinition[], starter: string): StepDefinition[] {
  const id = freeId(steps);
  const gate: StepDefinition = {
    id,
    name: null,
    action: {
      kind: 'approval',
      text: `${starter} has started this run. May it go on?`,
      by: null,
      notByStarter: true,
      isGate: true,
    },
    needs: [],
    condition: null,
    matrix: null,
    foreach: null,
    retry: { limit: 0, backoff: 'fixed', delayMs: 0, maxDelayMs: 0, on: null },
    timeoutMs: longestWaitMs,
    continueOnError: false,
    always: false,
  };
  return [gate, ...steps.map((step) => ({ ...step, needs: [id, ...step.needs] }))];
}

/** The steps as the author wrote them. */
export function withoutAgentApproval(steps: readonly StepDefinition[]): StepDefinition[] {
  const gate = steps.find(isAgentApproval);
  if (!gate) return [...steps];
  const others = steps.filter((step) => step !== gate);
  return others.map((step) => ({ ...step, needs: step.needs.filter((need) => need !== gate.id) }));
}

export function isAgentApproval({ action }: Pick<StepDefinition, 'action'>): boolean {
  return action.kind === 'approval' && action.isGate === true;
}

/** An id that no other step has. */
function freeId(steps: readonly StepDefinition[]): string {
  let id = 'agent_approval';
  while (steps.some((step) => step.id === id)) id += '_';
  return id;
}
