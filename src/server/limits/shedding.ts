// Decides which operations are refused while the server is overloaded (ADR 0019).

import type { Operation, OperationId } from '../../contract/operations.ts';
import { Problem } from '../../domain/problem.ts';
import type { Load } from './pressure.ts';

export const overloadedSeconds = 5;

/**
 * Whether an operation is refused. All operations are, except the health check and those that reduce load or take away
 * rights.
 */
export function isShed(id: string, { method }: Operation): boolean {
  const kept: readonly string[] = ['getHealth', 'cancelRun'] satisfies OperationId[];
  return method !== 'DELETE' && !kept.includes(id);
}

/** @throws Problem overloaded */
export function assertRoom(load: Load): void {
  const complaint = load.complaint();
  if (complaint === null) return;
  throw new Problem('overloaded', `The server is overloaded: ${complaint}.`, { retry_after: overloadedSeconds });
}
