// Knows which tenants' schedules are paused, by an operation or by flwd.yaml.

import type { SchedulePause } from '../../store/schedule/schedules.ts';

export type Pauses = ReturnType<typeof createPauses>;

/** @param byOperator whether flwd.yaml pauses all schedules */
export function createPauses(byOperator: boolean) {
  const pauses = new Map<string, SchedulePause>();
  return {
    byOperator,
    of: (tenant: string) => pauses.get(tenant),
    all: (): ReadonlyMap<string, SchedulePause> => pauses,
    /** Whether all schedules of the tenant are paused, by a pause for this tenant or for every tenant. */
    isPaused: (tenant: string): boolean => byOperator || pauses.has('*') || pauses.has(tenant),
    set(tenant: string, pause: SchedulePause | null): void {
      if (pause) pauses.set(tenant, pause);
      else pauses.delete(tenant);
    },
  };
}
