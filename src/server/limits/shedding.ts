// What is refused while the server has too much to do, and what is answered all the same (ADR 0019).

import type { Operation, OperationId } from '../../contract/operations.ts';
import { Problem } from '../../domain/problem.ts';
import type { Load } from './pressure.ts';

export const overloadedSeconds = 5;

/** What says how the server is, and what takes load or rights away. */
export function isShed(id: string, { method }: Operation): boolean {
  const kept: readonly string[] = ['getHealth', 'cancelRun'] satisfies OperationId[];
  return method !== 'DELETE' && !kept.includes(id);
}

/** @throws Problem overloaded */
export function assertRoom(load: Load): void {
  const complaint = load.complaint();
  if (complaint === null) return;
  throw new Problem('overloaded', `The server has too much to do: ${complaint}.`, { retry_after: overloadedSeconds });
}
