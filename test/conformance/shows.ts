// Lets a test name the statements of the API reference that it shows. Only a test that passes counts
// (every-statement.ts).

import { TestRunner } from 'vitest';
import type { StatementId } from './statements.ts';

declare module 'vitest' {
  interface TaskMeta {
    shows?: readonly StatementId[];
  }
}

export function shows(...ids: readonly StatementId[]): void {
  const test = TestRunner.getCurrentTest();
  if (!test) throw new Error('shows() belongs into a test');
  test.meta.shows = ids;
}
